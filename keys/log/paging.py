"""Pages of the request log by position (keyset pagination): a page begins after a given row, so the
thousandth page costs as much as the first. Rows are never counted. A page that takes too long to
fill shows what was found, how far the search went, and a link that continues from there.
"""

from typing import Any, Final

from django.contrib.admin.utils import build_q_object_from_lookup_parameters
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.views import ChangeList

from keys.log.walk import Position, Sought, Walk
from keys.models import RequestLog
from theme.shown import moment

OLDER: Final = "older_than"
NEWER: Final = "newer_than"


class LogPage(ChangeList):
    """The rows of one page, newest first, and the links to the next and previous page."""

    sought: Sought
    older_url: str | None = None
    newer_url: str | None = None
    # How far the search went, if it stopped before the page was full or the log at its end.
    searched_to: SafeString | None = None

    def get_filters_params(self, params: Any = None) -> Any:
        filters = super().get_filters_params(params)
        return {name: value for name, value in filters.items() if name not in (OLDER, NEWER)}

    def get_filters(self, request: HttpRequest) -> Any:
        found = super().get_filters(request)
        filters, _, others, *_ = found
        rest = build_q_object_from_lookup_parameters(others)
        self.sought = Sought(rest=rest) & _named(self.query.strip())
        for each in filters:
            self.sought &= each.sought()
        return found

    def get_results(self, request: HttpRequest) -> None:
        older = Position.parse(request.GET.get(OLDER, ""))
        newer = Position.parse(request.GET.get(NEWER, ""))
        if newer is not None and older is None:
            found, rest = self._found(Walk(self.sought, newer, oldest_first=True))
            page = found[::-1]
            # This page was reached backwards: the row that it begins after is an older one.
            before = page[-1] if page else Position(newer.started_at, newer.pk + 1)
            self._link(newer=rest, older=before)
        else:
            page, rest = self._found(Walk(self.sought, older))
            after: RequestLog | Position | None = None
            if older is not None:
                after = page[0] if page else Position(older.started_at, older.pk - 1)
            self._link(newer=after, older=rest)
        self.result_list = page
        self.result_count = len(page)
        # Equal, so that Django's template does not mention more results than are shown.
        self.full_result_count = len(page)
        self.show_full_result_count = False
        self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, page, self.list_per_page)

    def _found(self, walk: Walk) -> tuple[list[RequestLog], Position | None]:
        page, rest = walk.page(self.list_per_page)
        if rest is not None and len(page) < self.list_per_page:
            self.searched_to = moment(rest.started_at)
        return page, rest

    def _link(
        self, *, newer: RequestLog | Position | None, older: RequestLog | Position | None
    ) -> None:
        self.newer_url = None if newer is None else self._url(NEWER, newer)
        self.older_url = None if older is None else self._url(OLDER, older)

    def _url(self, way: str, place: RequestLog | Position) -> str:
        position = Position.of(place) if isinstance(place, RequestLog) else place
        return str(self.get_query_string({way: str(position)}, [OLDER, NEWER]))


def _named(text: str) -> Sought:
    """The requests with this id or, where there is none, of this session."""
    if not text:
        return Sought()
    if RequestLog.objects.filter(request_id=text).exists():
        return Sought(request_id=text)
    return Sought(equal={"session": text})
