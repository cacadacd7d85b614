"""Models that failed a moment ago, and are passed over for a short while where another stands by.

In this process's memory only: a worker learns of a failure by its own requests. A model at rest is
never refused for it: it is asked all the same when nothing else can answer.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

FIRST_REST_S: Final = 10.0
LONGEST_REST_S: Final = 300.0
# A model that failed long ago begins anew.
FORGOTTEN_AFTER_S: Final = 900.0
MODELS_KEPT: Final = 2_000


@dataclass(slots=True)
class Rest:
    """`until` on the monotonic clock; `why` in upstream's words; `failures` in a row."""

    until: float
    why: str
    failures: int = 1

    @property
    def left_s(self) -> float:
        return max(0.0, self.until - time.monotonic())

    @property
    def until_moment(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.left_s)


_rests: dict[str, Rest] = {}


def failed(model: str, why: str, *, at_least_s: float | None = None) -> None:
    """The model could not answer. It rests longer with each failure in a row, and at least for the
    time that upstream named."""
    now = time.monotonic()
    rest = _rests.get(model)
    if rest is not None and now - rest.until > FORGOTTEN_AFTER_S:
        rest = None
    if rest is not None and now < rest.until:
        return  # requests that were under way already when the first of them failed
    failures = 1 if rest is None else rest.failures + 1
    rest_s = max(FIRST_REST_S * 2 ** min(failures - 1, 10), at_least_s or 0.0)
    if rest is None and len(_rests) >= MODELS_KEPT:
        _rests.clear()
    _rests[model] = Rest(now + min(rest_s, LONGEST_REST_S), why, failures)


def answered(model: str) -> None:
    """The model answered: what it did before no longer counts."""
    if _rests:
        _rests.pop(model, None)


def rests(model: str) -> bool:
    if not _rests:
        return False
    rest = _rests.get(model)
    return rest is not None and time.monotonic() < rest.until


def rest_of(model: str) -> Rest | None:
    """Why and how long a model rests; None for one that does not."""
    return _rests.get(model) if rests(model) else None


def forget() -> None:
    _rests.clear()
