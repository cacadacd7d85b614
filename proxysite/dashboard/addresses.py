"""Parses the dashboard's query, and makes the links of its figures."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from keys.reports.periods import DIMENSIONS, FIGURES

PERIODS: Final = {1: "Today", 7: "7 days", 30: "30 days", 365: "12 months"}
USUAL: Final = {"days": "7", "figure": "cost", "by": "model"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The dashboard's query, invalid values replaced by the defaults."""

    days: int
    figure: str
    by: str

    def but(self, **changes: Any) -> str:
        """The dashboard's address with some values changed."""
        asked = {"days": self.days, "figure": self.figure, "by": self.by}
        return "?" + urlencode({**asked, **changes})


def asked_of(request: HttpRequest) -> Asked:
    days = request.GET.get("days", "")
    figure = request.GET.get("figure", "")
    by = request.GET.get("by", "")
    return Asked(
        days=int(days if days in map(str, PERIODS) else USUAL["days"]),
        figure=figure if figure in FIGURES else USUAL["figure"],
        by=by if by in DIMENSIONS else USUAL["by"],
    )


def rows_url(begin: date, end: date, **filters: str) -> str:
    """The address of the request log, filtered to what a figure counts."""
    days = f"{begin}" if begin == end else f"{begin}..{end}"
    query = urlencode({"day": days, **filters})
    return f"{reverse('admin:keys_requestlog_changelist')}?{query}"
