"""The one form of all limits: a holder, what is counted, a window, and the models that count. Pure.

The limits in the columns of keys and owners are a simple way to write some of them, and are read
into the same form. All that apply to a request hold at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from keys.model_patterns import matches_any
from keys.scopes import HolderKind, Limits

What = Literal["requests", "tokens", "concurrency", "usd", "neurons"]
# Minutes slide; the others are of the calendar, UTC, and a week begins on Monday. "total" is all
# time. Concurrency has no window.
WindowName = Literal["", "minute", "day", "week", "month", "total"]

HOLDER_KINDS: Final[tuple[HolderKind, ...]] = get_args(HolderKind)
WHATS: Final[tuple[What, ...]] = get_args(What)
CALENDAR: Final[tuple[WindowName, ...]] = ("day", "week", "month", "total")
WINDOWS_OF: Final[dict[What, tuple[WindowName, ...]]] = {
    "requests": ("minute", *CALENDAR),
    "tokens": ("minute", *CALENDAR),
    "concurrency": ("",),
    "usd": CALENDAR,
    "neurons": CALENDAR,
}
# The limits that keys and owners have columns for, and what each column means.
SIMPLE: Final[dict[str, tuple[What, WindowName]]] = {
    "requests_per_minute": ("requests", "minute"),
    "tokens_per_minute": ("tokens", "minute"),
    "concurrency": ("concurrency", ""),
    "daily_budget_nano_usd": ("usd", "day"),
    "monthly_budget_nano_usd": ("usd", "month"),
    "total_budget_nano_usd": ("usd", "total"),
    "daily_neurons_micro": ("neurons", "day"),
}
_FIELD_OF: Final = {means: field for field, means in SIMPLE.items()}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a limit is about, apart from its amount: no two limits have the same."""

    holder_kind: HolderKind
    holder_id: int
    what: What
    window: WindowName
    # Patterns of the models that count; empty means all.
    models: tuple[str, ...] = ()

    @property
    def simple_field(self) -> str | None:
        """The column of a key or of an owner's limits that says this; None where none does."""
        if self.holder_kind not in ("key", "owner") or self.models:
            return None
        return _FIELD_OF.get((self.what, self.window))

    def counts(self, model: str) -> bool:
        """Whether a request for the model counts."""
        return not self.models or matches_any(self.models, model)


@dataclass(frozen=True, slots=True)
class HeldLimit:
    """A limit as requests have it in memory. The amount is in nano-USD for "usd" and in millionths
    for "neurons"."""

    subject: Subject
    amount: int
    # The amount without the raises that are in force.
    usual: int | None = None

    @property
    def is_raised(self) -> bool:
        return self.usual is not None and self.amount > self.usual


@dataclass(frozen=True, slots=True)
class Raised:
    """A raise of one limit until a moment (epoch seconds): to an amount, or by one."""

    subject: Subject
    until: float
    amount: int | None = None
    plus: int | None = None


def of_columns(kind: HolderKind, holder_id: int, limits: Limits) -> list[HeldLimit]:
    """The limits in the columns of a key or of an owner."""
    return [
        HeldLimit(Subject(kind, holder_id, what, window), amount)
        for field, (what, window) in SIMPLE.items()
        if (amount := getattr(limits, field)) is not None
    ]


def effective(
    held: Iterable[HeldLimit], raises: Iterable[Raised], now: float
) -> tuple[HeldLimit, ...]:
    """The limits with the raises that are in force at `now`: what is counted in the order of WHATS,
    windows from the shortest, and of the same kind the smallest amount first. Of two limits with
    the same subject the smaller one holds.

    Additions add up; a raise to an amount is at least that amount. No raise lowers a limit.
    """
    usual: dict[Subject, HeldLimit] = {}
    for limit in held:
        known = usual.get(limit.subject)
        if known is None or limit.amount < known.amount:
            usual[limit.subject] = limit
    added: dict[Subject, int] = {}
    least: dict[Subject, int] = {}
    for one in raises:
        if one.until > now and one.subject in usual:
            added[one.subject] = added.get(one.subject, 0) + (one.plus or 0)
            least[one.subject] = max(least.get(one.subject, 0), one.amount or 0)
    found = [
        replace(
            limit,
            amount=max(limit.amount + added[subject], least[subject]),
            usual=limit.amount,
        )
        if subject in added
        else limit
        for subject, limit in usual.items()
    ]
    return tuple(sorted(found, key=_tightness))


def next_end(raises: Iterable[Raised], now: float) -> float | None:
    """When the next of the raises ends that are in force at `now`."""
    return min((one.until for one in raises if one.until > now), default=None)


def _tightness(limit: HeldLimit) -> tuple[Any, ...]:
    subject = limit.subject
    return (
        WHATS.index(subject.what),
        WINDOWS_OF[subject.what].index(subject.window),
        limit.amount,
        # So that the order is always the same.
        HOLDER_KINDS.index(subject.holder_kind),
        subject.holder_id,
        subject.models,
    )
