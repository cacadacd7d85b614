"""Budgets that have refused a request, kept in memory until the watch for alerts takes them. Noting
costs a refusal no query, and the memory is bounded."""

import threading
from dataclasses import dataclass
from datetime import date
from typing import Final

from keys.held_limits import HeldLimit
from keys.ledger.claims import Shortfall

MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class BudgetRefusal:
    """`left` is what was neither used nor set aside; `user` is the person behind the key, where the
    limit is for each."""

    limit: HeldLimit
    user: str
    day: date
    left: int


_noted: dict[tuple[HeldLimit, str, date], BudgetRefusal] = {}
_lock = threading.Lock()


def note(short: Shortfall, day: date) -> None:
    with _lock:
        if len(_noted) < MOST:
            refusal = BudgetRefusal(short.budget, short.scope.user, day, short.left)
            _noted[short.budget, short.scope.user, day] = refusal


def take() -> list[BudgetRefusal]:
    """Each limit and day once, as it last refused."""
    with _lock:
        noted = list(_noted.values())
        _noted.clear()
    return noted
