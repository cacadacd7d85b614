"""Searches the request log in steps of bounded size.

Filters can be combined in more ways than there are indexes, and each index costs every request. So
the log is read in the order of time along the most selective index, and the other conditions are
checked row by row. No statement reads more than STEP_ROWS rows, whatever is searched and found. The
caller decides when to stop, and can continue from there.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.lookups import Exact

from keys.models import RequestLog

STEP_ROWS: Final = 2000
SEARCH_S: Final = 0.4
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HIGHEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a row in the log's order."""

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
        # The first condition alone lets the database start at the right place in its index.
        return Q(started_at__lte=self.started_at) & (
            Q(started_at__lt=self.started_at) | Q(pk__lt=self.pk)
        )

    @property
    def newer(self) -> Q:
        return Q(started_at__gte=self.started_at) & (
            Q(started_at__gt=self.started_at) | Q(pk__gt=self.pk)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is searched: rows that meet all conditions."""

    # Values of the columns `key_id`, `owner_id`, `model`, `endpoint` and `session`, each of which
    # has an index; that of `session` only for rows with one, so an empty one goes into `rest`.
    equal: Mapping[str, Any] = field(default_factory=dict)
    # Status 400 and above, which has an index too.
    failed: bool = False
    request_id: str = ""
    # From this moment, and before that one.
    since: datetime | None = None
    until: datetime | None = None
    # Other conditions, which have no index.
    rest: Q = field(default_factory=Q)
    nothing: bool = False

    def __and__(self, other: "Sought") -> "Sought":
        return Sought(
            equal={**self.equal, **other.equal},
            failed=self.failed or other.failed,
            request_id=self.request_id or other.request_id,
            since=self.since or other.since,
            until=self.until or other.until,
            rest=self.rest & other.rest,
            nothing=self.nothing or other.nothing,
        )

    @property
    def condition(self) -> Q:
        """All conditions except `since` and `until`."""
        if self.nothing:
            return Q(pk__in=[])
        failed = Q(status__gte=400) if self.failed else Q()
        request_id = Q(request_id=self.request_id) if self.request_id else Q()
        return Q(**self.equal) & failed & request_id & self.rest

    def ways(self) -> list["Way"]:
        """The indexes that could be used; which is the most selective is not known yet."""
        equal = dict(self.equal)
        if not self.failed:
            return [Way(*each) for each in equal.items()] or [Way()]
        of_owner = "owner_id" in equal
        failures = Way("owner_id", equal.pop("owner_id"), True) if of_owner else Way(failed=True)
        return [failures, *(Way(*each) for each in equal.items())]


@dataclass(frozen=True, slots=True)
class Way:
    """An index that gives rows in the order of time: of all rows, or of one value of a column.
    `pks` are rows that were found by an index without that order."""

    column: str = ""
    value: Any = None
    failed: bool = False
    pks: Sequence[int] | None = None

    def is_all(self, sought: Sought) -> bool:
        equal = {self.column: self.value} if self.column else {}
        asked = (sought.equal, sought.failed, sought.rest, sought.request_id)
        return self.pks is None and asked == (equal, self.failed, Q(), "")

    def rows(self, *, oldest_first: bool) -> QuerySet[RequestLog]:
        rows = RequestLog.objects.all()
        if self.pks is not None:
            rows = rows.filter(pk__in=self.pks)
        if self.column:
            rows = rows.filter(_OneOf(F(self.column), self.value))
        if self.column == "session":
            rows = rows.filter(session__gt="")
        if self.failed:
            rows = rows.filter(status__gte=400)
        first = [self.column] if self.column else []
        rising = rows.order_by(*first, "started_at", "pk")
        return rising if oldest_first else rising.reverse()


class _OneOf(Exact):
    """`= ANY (ARRAY[value])` on PostgreSQL, so that it uses the column's own index.

    With `= value` the planner assumes that a value is equally frequent in every part of the log: it
    would search the rows of a key that is no longer used among the newest of all, and read half the
    log until it finds one. With ANY it does not assume that the column is the same in all rows, and
    then only the column's own index gives the order of the query."""

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, column_params = self.process_lhs(compiler, connection)
        value, value_params = self.process_rhs(compiler, connection)
        return f"{column} = ANY (ARRAY[{value}])", [*column_params, *value_params]


NOTHING: Final = Sought(nothing=True)


class Walk:
    """One search, from a position or from an end of the log, to older or to newer rows."""

    def __init__(
        self, sought: Sought, start: Position | None = None, *, oldest_first: bool = False
    ) -> None:
        self._sought = sought
        self._oldest_first = oldest_first
        self._way: Way | None = None
        # The last row that was read: everything up to it has been searched.
        self.position = start
        self.is_over = sought.nothing

    def step(self, most: int) -> list[RequestLog]:
        """Reads the next rows and returns those that match, at most `most`; often none."""
        if self.is_over:
            return []
        if self._way is None:
            self._way = self._narrowest_way()
        rows = self._rows_left(self._way)
        if self._way.is_all(self._sought):
            found = list(rows[:most])
            self._stand_at(Position.of(found[-1]) if len(found) == most else None)
            return found
        fits = ExpressionWrapper(self._sought.condition, output_field=BooleanField())
        read = list(rows.annotate(fits=fits).values_list("started_at", "pk", "fits")[:STEP_ROWS])
        fitting = [Position(started_at, pk) for started_at, pk, fits in read if fits]
        if len(fitting) > most:
            fitting = fitting[:most]
            self._stand_at(fitting[-1])
        else:
            self._stand_at(Position(*read[-1][:2]) if len(read) == STEP_ROWS else None)
        by_pk = RequestLog.objects.in_bulk([place.pk for place in fitting])
        # A row may have been pruned meanwhile.
        return [by_pk[place.pk] for place in fitting if place.pk in by_pk]

    def page(self, size: int) -> tuple[list[RequestLog], Position | None]:
        """The next rows that match, and where to continue; None at the end of the log. Stops after
        SEARCH_S, even if nothing was found."""
        found: list[RequestLog] = []
        end_s = time.monotonic() + SEARCH_S
        while len(found) <= size and not self.is_over:
            found += self.step(size + 1 - len(found))
            if time.monotonic() >= end_s:
                break
        if len(found) > size:
            return found[:size], Position.of(found[size - 1])
        return found, None if self.is_over else self.position

    def _stand_at(self, position: Position | None) -> None:
        """`position` is None at the end of the log."""
        self.is_over = position is None
        self.position = position or self.position

    def _rows_left(self, way: Way) -> QuerySet[RequestLog]:
        """Only one bound on each side: with two, SQLite may start its index at the wrong one."""
        since, until, place = self._sought.since, self._sought.until, self.position
        low = Q() if since is None else Q(started_at__gte=since)
        high = Q() if until is None else Q(started_at__lt=until)
        if place is not None and self._oldest_first:
            low = place.newer if since is None or place.started_at >= since else low
        elif place is not None:
            high = place.older if until is None or place.started_at < until else high
        return way.rows(oldest_first=self._oldest_first).filter(low, high)

    def _narrowest_way(self) -> Way:
        """The index along which STEP_ROWS rows cover the longest time, found by index-only
        queries."""
        if self._sought.request_id:
            same_id = RequestLog.objects.filter(request_id=self._sought.request_id)
            pks = list(same_id.values_list("pk", flat=True)[: STEP_ROWS + 1])
            # A client may send the same id again and again: then the id is not selective.
            if len(pks) <= STEP_ROWS:
                return Way(pks=pks)
        ways = self._sought.ways()
        if len(ways) == 1:
            return ways[0]
        reached: list[tuple[datetime, Way]] = []
        for way in ways:
            moments = self._rows_left(way).values_list("started_at", flat=True)
            last = list(moments[STEP_ROWS : STEP_ROWS + 1])
            if not last:
                return way
            reached.append((last[0], way))
        furthest = max if self._oldest_first else min
        return furthest(reached, key=lambda each: each[0])[1]
