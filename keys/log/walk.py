"""Rows of the request log that fit what somebody looks for, a step at a time.

Filters can be combined in more ways than the log has indexes, and each index costs every request.
So the log is walked in the order of its time, along the narrowest index that fits, and each row on
the way tells whether the other conditions hold. No statement reads more than STEP_ROWS rows,
whatever is asked and found. Whoever walks says when it is enough, and can go on from there.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is looked for: rows for which all of it holds."""

    # Of the columns `key_id`, `owner_id`, `model` and `endpoint`, each of which has an index.
    equal: Mapping[str, Any] = field(default_factory=dict)
    # Status 400 and above, which has one too.
    failed: bool = False
    request_id: str = ""
    # The first moment, and the one that it ends before.
    since: datetime | None = None
    until: datetime | None = None
    # Has no index.
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
        """All but `since` and `until`."""
        if self.nothing:
            return Q(pk__in=[])
        failed = Q(status__gte=400) if self.failed else Q()
        request_id = Q(request_id=self.request_id) if self.request_id else Q()
        return Q(**self.equal) & failed & request_id & self.rest

    def ways(self) -> list["Way"]:
        """All that the log could be walked along, the narrowest of which nobody knows yet."""
        equal = dict(self.equal)
        if not self.failed:
            return [Way(*each) for each in equal.items()] or [Way()]
        of_owner = "owner_id" in equal
        failures = Way("owner_id", equal.pop("owner_id"), True) if of_owner else Way(failed=True)
        return [failures, *(Way(*each) for each in equal.items())]


@dataclass(frozen=True, slots=True)
class Way:
    """An index in the order of time, or what one index has of one value. `pks` are what an index
    that knows no order gave."""

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
        if self.failed:
            rows = rows.filter(status__gte=400)
        first = [self.column] if self.column else []
        if oldest_first:
            return rows.order_by(*(f"-{name}" for name in first), "started_at", "pk")
        return rows.order_by(*first, "-started_at", "-pk")


class _OneOf(Exact):
    """PostgreSQL takes a value to be as frequent in every part of the log. So it would look for the
    rows of a key that is no more in use among the newest of all, and read half the log until it
    comes to one. As one of a list the value is not known to be the same in all rows, and then no
    other index than the value's own gives the order that is asked for."""

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, column_params = self.process_lhs(compiler, connection)
        value, value_params = self.process_rhs(compiler, connection)
        return f"{column} = ANY (ARRAY[{value}])", [*column_params, *value_params]


NOTHING: Final = Sought(nothing=True)


class Walk:
    """From a position on, or from an end of the log: to older rows, or to newer ones."""

    def __init__(
        self, sought: Sought, start: Position | None = None, *, oldest_first: bool = False
    ) -> None:
        self._sought = sought
        self._oldest_first = oldest_first
        self._way: Way | None = None
        # Of the last row that was read. Nothing up to it is left to be found.
        self.position = start
        self.is_over = sought.nothing

    def step(self, most: int) -> list[RequestLog]:
        """The rows that fit among the next ones, no more than `most`; often none."""
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
        # One may have been pruned meanwhile.
        return [by_pk[place.pk] for place in fitting if place.pk in by_pk]

    def page(self, size: int) -> tuple[list[RequestLog], Position | None]:
        """The next rows that fit, and where to go on; None where none is left. After SEARCH_S what
        was found must do, be it nothing."""
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
        """None at the end of the log."""
        self.is_over = position is None
        self.position = position or self.position

    def _rows_left(self, way: Way) -> QuerySet[RequestLog]:
        """One bound at each side: of two, SQLite may begin in its index at the wrong one."""
        since, until, place = self._sought.since, self._sought.until, self.position
        low = Q() if since is None else Q(started_at__gte=since)
        high = Q() if until is None else Q(started_at__lt=until)
        if place is not None and self._oldest_first:
            low = place.newer if since is None or place.started_at >= since else low
        elif place is not None:
            high = place.older if until is None or place.started_at < until else high
        return way.rows(oldest_first=self._oldest_first).filter(low, high)

    def _narrowest_way(self) -> Way:
        """Where a step reaches furthest: found out in the indexes alone."""
        if self._sought.request_id:
            same_id = RequestLog.objects.filter(request_id=self._sought.request_id)
            pks = list(same_id.values_list("pk", flat=True)[: STEP_ROWS + 1])
            # A client may send the same id again and again: then it is as good as no condition.
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
