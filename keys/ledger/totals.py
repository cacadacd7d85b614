"""Totals of log rows by day, key, owner, model and endpoint: what a group of rows adds, and the
statement that adds it, in the transaction of the rows, so that rows and totals always agree.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from keys.ledger.transaction import GroupTransaction, Insert
from keys.models import DURATION_COUNTS, LATENCY_BOUNDS_MS, TTFT_COUNTS

REFUSED: Final = (
    "refused_requests",
    "refused_tokens",
    "refused_concurrency",
    "refused_usd",
    "refused_neurons",
)
# Columns of a row whose values are added up, under the same names.
SUMMED: Final = (
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "images",
    "audio_ms",
    "cost_nano_usd",
    "neurons_micro",
)
# The same, for what the histograms count.
TIMES: Final = ("ttft_ms", "duration_ms")
COUNTED: Final = ("requests", "errors", "client_gone", "unpriced")
# What `check.py` can compute again from rows.
FROM_ROWS: Final = (*COUNTED, *SUMMED, *TIMES, *TTFT_COUNTS, *DURATION_COUNTS)
ADDED: Final = (*FROM_ROWS, *REFUSED)

CLIENT_GONE_STATUS: Final = 499

_PLACE: Final = {name: place for place, name in enumerate(ADDED)}
_TTFT: Final = _PLACE[TTFT_COUNTS[0]]
_DURATION: Final = _PLACE[DURATION_COUNTS[0]]
_COST: Final = SUMMED.index("cost_nano_usd")
_TTFT_MS, _DURATION_MS = (_PLACE[name] for name in TIMES)


class Place(NamedTuple):
    """Identifies a total. Totals are written in the order of these fields, always the same, so that
    two writers cannot deadlock."""

    day: date
    key_id: int
    owner_id: int
    model: str
    endpoint: str


class Names(NamedTuple):
    key_name: str
    owner_name: str


def count_row(added: list[int], status: int, summed: Sequence[int | None]) -> None:
    """Adds a row to sums that begin with COUNTED and SUMMED; `summed` holds the latter's values."""
    added[0] += 1
    if status >= 400:
        added[2 if status == CLIENT_GONE_STATUS else 1] += 1
    if summed[_COST] is None:
        added[3] += 1
    for at, value in enumerate(summed, len(COUNTED)):
        if value:
            added[at] += value


class Sums:
    """What a group adds, total by total."""

    def __init__(self) -> None:
        self._added: dict[Place, list[int]] = {}
        self._names: dict[Place, Names] = {}

    def add_row(
        self,
        place: Place,
        names: Names,
        *,
        status: int,
        summed: Sequence[int | None],
        ttft_ms: int | None,
        duration_ms: int,
    ) -> None:
        """`summed` holds the values of SUMMED."""
        added = self._of(place, names)
        count_row(added, status, summed)
        if ttft_ms is not None:
            added[_TTFT_MS] += ttft_ms
            added[_TTFT + bisect_left(LATENCY_BOUNDS_MS, ttft_ms)] += 1
        added[_DURATION_MS] += duration_ms
        added[_DURATION + bisect_left(LATENCY_BOUNDS_MS, duration_ms)] += 1

    def add_refusals(self, place: Place, names: Names, kind: str, count: int) -> None:
        self._of(place, names)[_PLACE[kind]] += count

    def _of(self, place: Place, names: Names) -> list[int]:
        self._names[place] = names
        added = self._added.get(place)
        if added is None:
            added = self._added[place] = [0] * len(ADDED)
        return added

    @property
    def days(self) -> set[date]:
        return {place.day for place in self._added}

    def write(self, transaction: GroupTransaction) -> None:
        if self._added:
            rows = [
                (transaction.day(place.day), *place[1:], *self._names[place], *self._added[place])
                for place in sorted(self._added)
            ]
            transaction.insert(_ADD, rows)


_ADD: Final = Insert(
    "keys_daytotal",
    (*Place._fields, *Names._fields, *ADDED),
    on_conflict=(
        f"ON CONFLICT ({', '.join(Place._fields)}) DO UPDATE SET "
        "key_name = excluded.key_name, owner_name = excluded.owner_name, "
        + ", ".join(f"{name} = keys_daytotal.{name} + excluded.{name}" for name in ADDED)
    ),
)


def percentile_ms(counts: Sequence[int], share: float) -> float | None:
    """The percentile for `share`, from the counts of a histogram, interpolated linearly within a
    bucket. None without requests."""
    total = sum(counts)
    if not total:
        return None
    wanted, seen, low = share * total, 0, 0
    for count, high in zip(counts, LATENCY_BOUNDS_MS, strict=False):
        if count and seen + count >= wanted:
            return low + (high - low) * (wanted - seen) / count
        seen, low = seen + count, high
    return float(low)
