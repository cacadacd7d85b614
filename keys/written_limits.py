"""Limits as people write them: `rpm=20 @cf/moonshotai/*`, `daily-usd=+20`. Pure.

Their names are those of the commands' options, without the dashes in front.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from keys.amounts import nano_usd_from_text, neurons_micro_from_text, neurons_text, usd_text
from keys.held_limits import WINDOWS_OF, Subject, What, WindowName

_HIGHEST_COUNT: Final = 2**62


class BadLimit(ValueError):
    """The text is no limit; the message says what it takes."""


def count_from_text(text: str) -> int:
    """'60' → 60. Raises ValueError for what is not a whole number above 0."""
    number = int(text)
    if not 0 < number < _HIGHEST_COUNT:
        raise ValueError("out of range")
    return number


@dataclass(frozen=True, slots=True)
class Unit:
    """How amounts of one kind are written, and what is stored of them."""

    metavar: str
    parse: Callable[[str], int]
    show: Callable[[int], str]
    takes: str


COUNT: Final = Unit("N", count_from_text, str, "a whole number above 0")
USD: Final = Unit("USD", nano_usd_from_text, usd_text, "an amount above 0 such as 12.50")
NEURONS: Final = Unit("N", neurons_micro_from_text, neurons_text, "a number above 0")


UNITS: Final[dict[What, Unit]] = {
    "requests": COUNT,
    "tokens": COUNT,
    "concurrency": COUNT,
    "usd": USD,
    "neurons": NEURONS,
}
_NOUNS: Final[dict[What, str]] = {
    "requests": "requests",
    "tokens": "tokens",
    "concurrency": "requests at once",
    "usd": "USD",
    "neurons": "neurons",
}
_WINDOWS: Final[dict[WindowName, str]] = {
    "": "",
    "minute": " per minute",
    "day": " per day (UTC)",
    "week": " per week (UTC, from Monday)",
    "month": " per month (UTC)",
    "total": " in all",
}
_SHORT_NAMES: Final[dict[tuple[What, WindowName], str]] = {
    ("requests", "minute"): "rpm",
    ("requests", "day"): "rpd",
    ("tokens", "minute"): "tpm",
    ("tokens", "day"): "tpd",
    ("concurrency", ""): "concurrency",
}
_PERIODS: Final[dict[WindowName, str]] = {
    "day": "daily",
    "week": "weekly",
    "month": "monthly",
    "total": "total",
}


@dataclass(frozen=True, slots=True)
class LimitKind:
    """What a limit counts, and in which window."""

    what: What
    window: WindowName

    @classmethod
    def of(cls, subject: Subject) -> "LimitKind":
        return cls(subject.what, subject.window)

    @property
    def name(self) -> str:
        short = _SHORT_NAMES.get((self.what, self.window))
        return short or f"{_PERIODS[self.window]}-{self.what}"

    @property
    def words(self) -> str:
        return f"{_NOUNS[self.what]}{_WINDOWS[self.window]}"

    @property
    def unit(self) -> Unit:
        return UNITS[self.what]

    @property
    def is_count(self) -> bool:
        return self.unit is COUNT

    def amount(self, text: str) -> int | None:
        """None for an empty text. Raises `BadLimit`."""
        told = text.strip()
        if not told:
            return None
        try:
            if told.startswith("+"):
                raise ValueError("a raise")
            return self.unit.parse(told)
        except ValueError:
            raise BadLimit(f"it takes {self.unit.takes}") from None

    def limit(self, text: str) -> "WrittenLimit":
        """The limit of this kind that counts all models, from its amount alone."""
        return WrittenLimit(self, self.amount(text))


KINDS: Final[dict[str, LimitKind]] = {
    kind.name: kind
    for what, windows in WINDOWS_OF.items()
    for kind in (LimitKind(what, window) for window in windows)
}


@dataclass(frozen=True, slots=True)
class WrittenLimit:
    """One limit as it was written. An amount of None takes it away; no models means all."""

    kind: LimitKind
    amount: int | None
    models: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The text that `limit_from_text` reads as this limit."""
        amount = "" if self.amount is None else self.kind.unit.show(self.amount)
        return " ".join((f"{self.kind.name}={amount}", *self.models))


@dataclass(frozen=True, slots=True)
class WrittenRaise:
    """A raise as it was written: by an amount where `is_added`, else to one."""

    kind: LimitKind
    amount: int
    is_added: bool
    models: tuple[str, ...] = ()


def limit_from_text(text: str) -> WrittenLimit:
    """`rpm=20 @cf/moonshotai/* @cf/openai/*`; `rpm= @cf/x/*` takes that one away. Raises
    `BadLimit`."""
    kind, amount, models = _parts(text)
    return WrittenLimit(kind, _amount(kind, amount), models)


def raise_from_text(text: str) -> WrittenRaise:
    """`daily-usd=+20` is 20 more; `rpm=120` is 120 in place of what it was. Raises `BadLimit`."""
    kind, told, models = _parts(text)
    amount = _amount(kind, told.removeprefix("+"))
    if amount is None:
        raise BadLimit(f"it has no amount: write such as {kind.name}=20 or {kind.name}=+20")
    return WrittenRaise(kind, amount, told.startswith("+"), models)


def ensure_each_once(limits: Iterable[WrittenLimit]) -> None:
    """Raises `BadLimit` for two that count the same in the same window for the same models."""
    seen = set()
    for limit in limits:
        place = (limit.kind.name, frozenset(limit.models))
        if place in seen:
            raise BadLimit(f"{' '.join((limit.kind.name, *limit.models))} is there twice")
        seen.add(place)


def models_from_text(text: str) -> tuple[str, ...]:
    """Patterns between spaces, commas or lines, each once, in their order."""
    return tuple(dict.fromkeys(part for part in re.split(r"[\s,]+", text) if part))


def _amount(kind: LimitKind, text: str) -> int | None:
    try:
        return kind.amount(text)
    except BadLimit:
        raise BadLimit(f"{kind.name} takes {kind.unit.takes}") from None


def _parts(text: str) -> tuple[LimitKind, str, tuple[str, ...]]:
    name, equals, rest = text.partition("=")
    name = name.strip().removeprefix("--")
    kind = KINDS.get(name)
    if kind is None:
        raise BadLimit(f"it begins with one of {', '.join(KINDS)}, then =")
    if not equals:
        raise BadLimit(f"it has no amount: write such as {name}=20")
    # A space straight after "=" means that there is no amount.
    amount = rest.split()[0] if rest and not rest[0].isspace() else ""
    models = models_from_text(rest[len(amount) :])
    if not amount and models and models[0][0] in "+-0123456789":
        raise BadLimit(f"it has a space before its amount: write {name}={models[0]}")
    return kind, amount, models
