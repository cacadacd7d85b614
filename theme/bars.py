"""What `theme/bars.html` draws: a name, a value, and how much of a whole it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    value: str
    # The whole, such as a limit.
    of: str = ""
    note: str = ""
    # None draws no bar.
    percent: int | None = None
    url: str = ""
    # Which of the colours of a chart.
    series: int = 1
    is_near: bool = False
    is_full: bool = False
