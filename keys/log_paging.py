"""Pages of the request log by position: a page begins after a row, so that the thousandth costs
what the first does. No page counts how many there are.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Q
from django.http import HttpRequest
from unfold.views import ChangeList

from keys.models import RequestLog

OLDER: Final = "older_than"
NEWER: Final = "newer_than"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HIGHEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Position:
    """Where a row stands in the log."""

    started_at: datetime
    pk: int

    @classmethod
    def of(cls, row: RequestLog) -> "Position":
        return cls(row.started_at, row.pk)

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        micros, _, pk = text.partition("-")
        digits = (micros + pk).isascii() and micros.isdecimal() and pk.isdecimal()
        if not digits or len(text) > 40 or int(pk) > _HIGHEST:
            return None
        try:
            return cls(_EPOCH + int(micros) * _MICROSECOND, int(pk))
        except OverflowError:
            return None

    def __str__(self) -> str:
        return f"{(self.started_at - _EPOCH) // _MICROSECOND}-{self.pk}"

    @property
    def older(self) -> Q:
        # The first condition alone is what lets the database start in its index.
        return Q(started_at__lte=self.started_at) & (
            Q(started_at__lt=self.started_at) | Q(pk__lt=self.pk)
        )

    @property
    def newer(self) -> Q:
        return Q(started_at__gte=self.started_at) & (
            Q(started_at__gt=self.started_at) | Q(pk__gt=self.pk)
        )


class LogPage(ChangeList):
    """The rows of one page, newest first, and the addresses of the pages beside it."""

    older_url: str | None = None
    newer_url: str | None = None

    def get_filters_params(self, params: Any = None) -> Any:
        filters = super().get_filters_params(params)
        return {name: value for name, value in filters.items() if name not in (OLDER, NEWER)}

    def get_results(self, request: HttpRequest) -> None:
        older = Position.parse(request.GET.get(OLDER, ""))
        newer = Position.parse(request.GET.get(NEWER, ""))
        size = self.list_per_page
        rows = self.queryset
        if newer is not None and older is None:
            found = list(rows.filter(newer.newer).order_by("started_at", "pk")[: size + 1])
            more_newer, more_older = len(found) > size, True
            page = found[:size][::-1]
        else:
            rows = rows if older is None else rows.filter(older.older)
            found = list(rows.order_by("-started_at", "-pk")[: size + 1])
            more_newer, more_older = older is not None, len(found) > size
            page = found[:size]
        if page and more_older:
            self.older_url = self._url(OLDER, page[-1])
        if page and more_newer:
            self.newer_url = self._url(NEWER, page[0])
        self.result_list = page
        self.result_count = len(page)
        # Equal, so that nothing tells of more results than are shown.
        self.full_result_count = len(page)
        self.show_full_result_count = False
        self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, page, size)

    def _url(self, way: str, row: RequestLog) -> str:
        there = {way: str(Position.of(row))}
        return str(self.get_query_string(there, [OLDER, NEWER]))
