"""What `admin/bars.html` draws: a name, a value, and how much of a whole it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    value: str
    note: str = ""
    percent: int = 0
    url: str = ""
    # Which of the colours of a chart.
    series: int = 1
    is_full: bool = False
