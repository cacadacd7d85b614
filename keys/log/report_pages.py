"""The report of a month in the admin: a page, and the same as a CSV file."""

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from keys import shown
from keys.amounts import usd_text
from keys.csv_file import csv_response, csv_texts
from keys.ledger.month_totals import next_month
from keys.reports.month_report import (
    BY,
    FIGURES,
    Line,
    MonthReport,
    fields,
    first_month,
    month_from_text,
    month_report,
)
from theme.model_admin import ModelAdmin

REPORT: Final = "admin/keys/requestlog/report.html"
USUAL_BY: Final = "owner"
# The others are in the CSV file, and in the sum.
LINES_SHOWN: Final = 200
_NOBODY: Final = {
    "owner": "no owner",
    "team": "no team",
    "key": "no key",
    "model": "no model",
    "user": "nobody named",
    "account": "the only account",
}


@dataclass(frozen=True, slots=True)
class ShownLine:
    name: str
    note: str
    requests: str
    tokens_in: str
    tokens_out: str
    images: str
    usd: str
    neurons: str
    share: str
    percent: int
    url: str


def report_page(admin: ModelAdmin, request: HttpRequest) -> HttpResponseBase:
    month, by = _asked(admin, request)
    report = month_report(month, by)
    today = timezone.now().astimezone(UTC).date()
    before = (month - timedelta(days=1)).replace(day=1)
    first = first_month()
    after = next_month(month)
    context = {
        "month": month,
        "is_running": month == today.replace(day=1),
        "by": by,
        "choices": [(each, _query(month, each), each == by) for each in BY],
        "before": "" if first is None or month <= first else _query(before, by),
        "after": "" if after > today else _query(after, by),
        "lines": [_shown(report, line) for line in report.lines[:LINES_SHOWN]],
        "more": max(0, len(report.lines) - LINES_SHOWN),
        "total": _shown(report, Line({}, report.total)),
        "unpriced": report.total["unpriced"],
        "csv_url": reverse("admin:keys_requestlog_report_csv") + _query(month, by),
    }
    return admin.own_page(request, REPORT, "Usage by month", **context)


def report_csv(admin: ModelAdmin, request: HttpRequest) -> HttpResponseBase:
    month, by = _asked(admin, request)
    lines = month_report(month, by).as_json()
    texts = csv_texts(["month", *fields(by), *FIGURES], (line.values() for line in lines))
    return csv_response(texts, f"usage-{month:%Y-%m}-by-{by}.csv")


def _asked(admin: ModelAdmin, request: HttpRequest) -> tuple[date, str]:
    """Month and dimension; what there is not is this month, and the usual."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    try:
        month = month_from_text(request.GET.get("month", ""))
    except ValueError:
        month = timezone.now().astimezone(UTC).date().replace(day=1)
    by = request.GET.get("by", "")
    return month, by if by in BY else USUAL_BY


def _query(month: date, by: str) -> str:
    return "?" + urlencode({"month": f"{month:%Y-%m}", "by": by})


def _shown(report: MonthReport, line: Line) -> ShownLine:
    sums, whole = line.sums, report.total["cost_nano_usd"]
    cost = sums["cost_nano_usd"]
    return ShownLine(
        name=str(line.names.get(report.by) or _NOBODY[report.by]),
        note=_note(report.by, line.names),
        requests=f"{sums['requests']:,}",
        tokens_in=f"{sums['prompt_tokens']:,}",
        tokens_out=f"{sums['completion_tokens']:,}",
        images=f"{sums['images']:,}" if sums["images"] else "",
        # Exact, so that the lines add up.
        usd=usd_text(cost),
        neurons=shown.neurons(sums["neurons_micro"]),
        share=f"{cost * 100 / whole:.1f}%" if whole else "",
        percent=cost * 100 // whole if whole else 0,
        url=_rows_url(report, line.names),
    )


def _note(by: str, names: dict[str, Any]) -> str:
    if by == "key":
        return names.get("owner") or ""
    return f"behind {names['key']}" if by == "user" and names.get("key") else ""


def _rows_url(report: MonthReport, names: dict[str, Any]) -> str:
    """The rows of the log behind a line, where its filters can tell them."""
    columns = {"owner": "owner_id", "team": "team_id", "key": "key_id", "model": "model"}
    value = names.get(columns.get(report.by, ""))
    if not value:
        return ""
    last = next_month(report.month) - timedelta(days=1)
    query = urlencode({"day": f"{report.month}..{last}", report.by: value})
    return f"{reverse('admin:keys_requestlog_changelist')}?{query}"
