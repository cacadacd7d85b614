"""How much of limits is used, as bars for a page."""

from collections.abc import Callable, Iterable
from typing import Final

from keys import shown
from keys.held_limits import HeldLimit, What, WindowName
from keys.reports.limit_use import LimitUse
from keys.reports.usage import KeyUsage, Usage
from theme.bars import Bar

_TEXT: Final[dict[What, Callable[[int], str]]] = {
    "requests": lambda count: f"{count:,}",
    "tokens": lambda count: f"{count:,}",
    "concurrency": lambda count: f"{count:,}",
    "usd": shown.usd,
    "neurons": shown.neurons,
}
_WHEN: Final[dict[WindowName, str]] = {
    "": "at once",
    "minute": "per minute",
    "day": "today",
    "week": "this week",
    "month": "this month",
    "total": "in total",
}


_USUAL: Final[tuple[tuple[What, WindowName], ...]] = (
    ("usd", "day"),
    ("usd", "month"),
    ("usd", "total"),
    ("neurons", "day"),
)


def bars(usage: KeyUsage, uses: Iterable[LimitUse]) -> list[Bar]:
    """A bar for each limit over a day or longer, running requests included. What was spent today,
    this month and in all, and the day's neurons, are there without a limit too."""
    left = {use.limit.subject: use for use in uses if use.used is not None}
    found = []
    for what, window in _USUAL:
        limited = [
            subject
            for subject in left
            if (subject.what, subject.window, subject.models) == (what, window, ())
        ]
        found += [bar_of(left.pop(subject)) for subject in limited]
        if not limited:
            found.append(_amount_bar(what, window, usage))
    return [*found, *(bar_of(use) for use in left.values())]


def bar_of(use: LimitUse, with_models: bool = True) -> Bar:
    """For one whose use is known."""
    subject, text = use.limit.subject, _TEXT[use.limit.subject.what]
    assert use.used is not None and use.percent is not None
    notes = []
    if subject.models and with_models:
        notes.append(f"for {', '.join(subject.models)}")
    if use.limit.is_raised:
        notes.append(f"raised from {text(use.limit.usual or 0)}")
    if use.reserved:
        notes.append(f"up to {text(use.reserved)} more by running requests")
    if use.is_near:
        notes.append("used up" if use.percent >= 100 else f"{use.percent}% used")
    return Bar(
        name=_name(subject.what, subject.window),
        value=text(use.used),
        of=text(use.limit.amount),
        note=", ".join(notes),
        percent=min(100, use.percent),
        is_near=use.is_near and use.percent < 100,
        is_full=use.percent >= 100,
    )


def _name(what: What, window: WindowName) -> str:
    """'Today', 'Tokens this week'."""
    name = _WHEN[window] if what == "usd" else f"{what} {_WHEN[window]}"
    return f"{name[0].upper()}{name[1:]}"


def rate_texts(uses: Iterable[LimitUse]) -> list[str]:
    """'60 requests per minute', '5 requests at once for @cf/x/* (raised from 3)': limits that have
    no bar."""
    return [_rate_text(use.limit) for use in uses if use.used is None]


def _rate_text(limit: HeldLimit) -> str:
    raised = f" (raised from {limit.usual:,})" if limit.is_raised and limit.usual else ""
    return f"{shown.limit_text(limit)}{raised}"


def _amount_bar(what: What, window: WindowName, usage: KeyUsage) -> Bar:
    used: Usage = getattr(usage, window)
    is_money = what == "usd"
    running = used.reserved_nano_usd if is_money else used.reserved_neurons_micro
    text = _TEXT[what]
    return Bar(
        name=_name(what, window),
        value=text(used.cost_nano_usd if is_money else used.neurons_micro),
        note=f"up to {text(running)} more by running requests" if running else "",
    )
