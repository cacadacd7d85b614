"""How much of each budget is used, as bars for a page."""

from collections.abc import Callable

from keys import shown
from keys.reports.near_limits import NEAR_PERCENT
from keys.reports.usage import KeyUsage
from keys.scopes import Limits
from theme.bars import Bar


def bars(limits: Limits, usage: KeyUsage) -> list[Bar]:
    """A bar for each budget, running requests included; without a limit only the amount."""
    money = [
        ("Today", limits.daily_budget_nano_usd, usage.day),
        ("This month", limits.monthly_budget_nano_usd, usage.month),
        ("In total", limits.total_budget_nano_usd, usage.total),
    ]
    day = usage.day
    return [
        *(
            _bar(label, used.cost_nano_usd, used.reserved_nano_usd, limit, shown.usd)
            for label, limit, used in money
        ),
        _bar(
            "Neurons today",
            day.neurons_micro,
            day.reserved_neurons_micro,
            limits.daily_neurons_micro,
            shown.neurons,
        ),
    ]


def _bar(label: str, used: int, running: int, limit: int | None, text: Callable[[int], str]) -> Bar:
    percent = None if limit is None else min(100, (used + running) * 100 // limit)
    is_full = percent is not None and percent >= 100
    is_near = percent is not None and NEAR_PERCENT <= percent < 100
    notes = []
    if running:
        notes.append(f"up to {text(running)} more by running requests")
    if is_full or is_near:
        notes.append("used up" if is_full else f"{percent}% used")
    return Bar(
        name=label,
        value=text(used),
        of="" if limit is None else text(limit),
        note=", ".join(notes),
        percent=percent,
        is_near=is_near,
        is_full=is_full,
    )
