"""Use beside keys: a few columns of days in each line of the list, bars of budgets on a page."""

from datetime import UTC
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from unfold.views import ChangeList

from keys.models import Key
from keys.reports.budget_bars import bars
from keys.reports.near_limits import fullest_budgets
from keys.reports.periods import daily_requests
from keys.reports.usage import key_usage
from theme.bars import Bar
from theme.sparkline import sparkline

SPARK_DAYS: Final = 14
PAGE_DAYS: Final = 30


class KeyPage(ChangeList):
    """The keys of one page, each with its use: a few queries for all of them."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        keys: list[Any] = list(self.result_list)
        self.result_list = keys
        today = timezone.now().astimezone(UTC).date()
        by_day = daily_requests([key.pk for key in keys], today, SPARK_DAYS)
        fullest = fullest_budgets(keys)
        for key in keys:
            key.requests_by_day = by_day[key.pk]
            key.fullest_budget = fullest.get(key.pk)


def use_of(key: Key) -> dict[str, Any]:
    """For the page of one key."""
    usage = key_usage(key.pk)
    today = timezone.now().astimezone(UTC).date()
    days = daily_requests([key.pk], today, PAGE_DAYS)[key.pk]
    return {
        "bars": [
            Bar(
                name=bar.label,
                value=bar.used,
                note=f"of {bar.limit}, {bar.percent}%" if bar.limit else "no limit",
                percent=bar.percent or 0,
                is_full=bar.is_full,
            )
            for bar in bars(key.limits, usage)
        ],
        "spark": sparkline(days, "Requests"),
        "month_requests": usage.month.requests,
        "rows_url": f"{reverse('admin:keys_requestlog_changelist')}?key={key.pk}",
    }
