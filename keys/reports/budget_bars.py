"""How much of each budget is used, for a page to draw as bars."""

from collections.abc import Callable
from dataclasses import dataclass

from keys import shown
from keys.reports.near_limits import NEAR_PERCENT
from keys.reports.usage import KeyUsage
from keys.scopes import Limits


@dataclass(frozen=True, slots=True)
class Bar:
    """How much of one limit is used, what runs now included. Without a limit there is no bar."""

    label: str
    used: str
    running: str
    limit: str
    percent: int | None

    @property
    def is_full(self) -> bool:
        return self.percent is not None and self.percent >= 100

    @property
    def is_near(self) -> bool:
        return self.percent is not None and NEAR_PERCENT <= self.percent < 100


def bars(limits: Limits, usage: KeyUsage) -> list[Bar]:
    money = [
        ("Today", limits.daily_budget_nano_usd, usage.day),
        ("This month", limits.monthly_budget_nano_usd, usage.month),
        ("In all", limits.total_budget_nano_usd, usage.total),
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
    return Bar(
        label=label,
        used=text(used),
        running=text(running) if running else "",
        limit="" if limit is None else text(limit),
        percent=percent,
    )
