"""How fast the account may ask a model, in requests a minute, as far as anybody knows.

Cloudflare publishes a rate for each task, and one for each frontier model, but it raises them for
accounts that ask. So a model's rate counts only once upstream has refused two requests for it
within a minute (3021 or 429), or where ACCOUNT_RATES sets one, for a model or for several together.
After each further refusal a rate is lowered at once; then it recovers slowly, and what was learnt
is forgotten when nothing was refused for a while. In this process's memory.
"""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from django.conf import settings

from catalog.snapshot import ModelRecord

# "Frontier models": each has a rate of its own.
FRONTIER: Final = "require_workers_paid"
FRONTIER_PER_MINUTE: Final = 20
BY_TASK: Final = {
    "Automatic Speech Recognition": 720,
    "Image-to-Text": 720,
    "Summarization": 1500,
    "Text Classification": 2000,
    "Text Embeddings": 3000,
    "Text Generation": 300,
    "Text-to-Image": 720,
    "Translation": 720,
}
# Of tasks without a published rate.
USUAL_PER_MINUTE: Final = 300

LOWERED_TO: Final = 0.75
# Refusals of requests that were under way together count once.
TOGETHER_S: Final = 5.0
RECOVERS_A_MINUTE: Final = 0.05
FORGOTTEN_AFTER_S: Final = 900.0
LANES_KEPT: Final = 2_000
# Read once: asking the settings is a call.
RATES: Final[tuple[tuple[str, int], ...]] = tuple(settings.ACCOUNT_RATES)


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate that counts now. `learnt`: upstream said that its minute is full."""

    lane: str
    per_minute: int
    learnt: bool
    why: str


@dataclass(slots=True)
class _Learnt:
    full: int
    per_minute: float
    refused_at: float
    why: str

    def now(self) -> float:
        recovered = self.full * RECOVERS_A_MINUTE * (time.monotonic() - self.refused_at) / 60
        return min(self.full, self.per_minute + recovered)


_learnt: dict[str, _Learnt] = {}
# Lanes of which one request was refused so far, and when.
_refused_once: dict[str, float] = {}


def pace_of(model: ModelRecord, account: str = "") -> Pace | None:
    """The rate that counts for a model now; None while nothing limits it. Each of several accounts
    has its own."""
    if not _learnt and not RATES:
        return None
    lane, full, is_set = _lane_of(model, account)
    learnt = _learnt.get(lane)
    if learnt is not None and time.monotonic() - learnt.refused_at > FORGOTTEN_AFTER_S:
        del _learnt[lane]
        learnt = None
    if learnt is not None:
        return Pace(lane, max(1, int(learnt.now())), not is_set, learnt.why)
    return Pace(lane, full, False, "ACCOUNT_RATES") if is_set else None


def paces_of(model: ModelRecord, accounts: Iterable[str]) -> list[Pace]:
    """Those of these accounts that count now."""
    found = [pace_of(model, account) for account in accounts]
    return [pace for pace in found if pace is not None]


def refused(model: ModelRecord, why: str, account: str = "") -> None:
    """Upstream refused a request because of a rate, in these words. One alone teaches nothing: it
    may have been a moment's whim, or another program's burst."""
    lane, full, is_set = _lane_of(model, account)
    now = time.monotonic()
    learnt = _learnt.get(lane)
    if learnt is not None:
        if now - learnt.refused_at > TOGETHER_S:
            learnt.per_minute = max(1.0, learnt.now() * LOWERED_TO)
            learnt.refused_at, learnt.why = now, why
    elif is_set or now - _refused_once.pop(lane, -math.inf) < 60:
        _learnt[lane] = _Learnt(full, full * LOWERED_TO if is_set else full, now, why)
    else:
        if len(_refused_once) >= LANES_KEPT:
            _refused_once.clear()
        _refused_once[lane] = now


def forget() -> None:
    _learnt.clear()
    _refused_once.clear()


def _lane_of(model: ModelRecord, account: str) -> tuple[str, int, bool]:
    """Name of the lane, its full rate by Workers AI's page of limits, or the one that ACCOUNT_RATES
    sets, and whether it does."""
    of = f" ({account})" if account else ""
    found = _set_rate(model.name, model.task, RATES)
    if found is not None:
        return found[0] + of, found[1], True
    if FRONTIER in model.capabilities:
        return model.name + of, FRONTIER_PER_MINUTE, False
    return model.name + of, BY_TASK.get(model.task, USUAL_PER_MINUTE), False


@lru_cache(maxsize=2048)
def _set_rate(name: str, task: str, rates: tuple[tuple[str, int], ...]) -> tuple[str, int] | None:
    """The first rate whose pattern fits the model's name or is its task. A rate for a pattern is
    shared by all that fit it."""
    for pattern, per_minute in rates:
        if fnmatchcase(name, pattern) or pattern.casefold() == task.casefold():
            return pattern, per_minute
    return None
