"""Use beside keys: a few columns of days in each line of the list, bars and a chart on a page."""

from datetime import UTC, timedelta
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from keys import shown
from keys.models import Key
from keys.operators.holder_list import HolderList
from keys.reports.budget_bars import bars
from keys.reports.limit_use import read_use
from keys.reports.limits_in_force import limits_of_one
from keys.reports.near_limits import fullest_budgets
from keys.reports.periods import daily_requests
from keys.reports.usage import key_usage
from theme.chart import Bucket, stacked

SPARK_DAYS: Final = 14
PAGE_DAYS: Final = 30


class KeyList(HolderList):
    """The keys of one page of the list with their use, in a few queries for all of them."""

    holder_kind = "key"

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        keys: list[Any] = self.result_list
        today = timezone.now().astimezone(UTC).date()
        by_day = daily_requests([key.pk for key in keys], today, SPARK_DAYS)
        fullest = fullest_budgets(keys)
        for key in keys:
            key.requests_by_day = by_day[key.pk]
            key.fullest_budget = fullest.get(key.pk)


def use_of(key: Key) -> dict[str, Any]:
    """What the page of one key shows of its use."""
    usage = key_usage(key.pk)
    today = timezone.now().astimezone(UTC).date()
    requests = daily_requests([key.pk], today, PAGE_DAYS)[key.pk]
    rows_url = f"{reverse('admin:keys_requestlog_changelist')}?key={key.pk}"
    days = [today - timedelta(days=ago) for ago in reversed(range(PAGE_DAYS))]
    buckets = [Bucket(day, day, f"{day:%d %b}", f"{rows_url}&day={day}") for day in days]
    return {
        "bars": bars(usage, read_use(limits_of_one("key", key.pk, key.limits))),
        "chart": stacked(buckets, ["requests"], [requests], shown.short),
        "chart_days": PAGE_DAYS,
        "month_requests": usage.month.requests,
        "rows_url": rows_url,
    }
