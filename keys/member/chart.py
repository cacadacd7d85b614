"""A chart of days as numbers for an SVG: the template draws it, no script is needed. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 180
LEFT: Final = 66
# Room for half of the last label.
RIGHT: Final = 22
BOTTOM: Final = 22
TOP: Final = 10
GAP: Final = 3


@dataclass(frozen=True, slots=True)
class Column:
    x: float
    y: float
    width: float
    height: float
    # What a pointer over it says.
    title: str
    label: str
    label_x: float


@dataclass(frozen=True, slots=True)
class Line:
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    columns: list[Column]
    lines: list[Line]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    label_y: int = HEIGHT - 6


def day_chart(
    days: Sequence[date], values: Sequence[int], text: Callable[[int], str]
) -> Chart | None:
    """None when there is nothing but zeros."""
    highest = max(values, default=0)
    if highest == 0:
        return None
    top = _round_up(highest)
    floor, room = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
    step = (WIDTH - LEFT - RIGHT) / len(days)
    columns = []
    for number, (day, value) in enumerate(zip(days, values, strict=True)):
        height = value / top * room
        # What is not nothing must be seen.
        height = max(height, 1.5) if value else 0.0
        columns.append(
            Column(
                x=round(LEFT + number * step + GAP / 2, 2),
                y=round(floor - height, 2),
                width=round(step - GAP, 2),
                height=round(height, 2),
                title=f"{day:%d %b}: {text(value)}",
                # Each seventh day, counted back from today, so that labels do not touch.
                label=f"{day:%d %b}" if (len(days) - 1 - number) % 7 == 0 else "",
                label_x=round(LEFT + (number + 0.5) * step, 2),
            )
        )
    lines = [
        Line(round(floor - share * room, 2), text(round(top * share))) for share in (0, 0.5, 1)
    ]
    return Chart(columns, lines)


def _round_up(value: int) -> int:
    """The next number that begins with 1, 2, 4, 6, 8 and goes on in zeros."""
    size = 10 ** (len(str(value)) - 1)
    for first in (1, 2, 4, 6, 8):
        if value <= first * size:
            return first * size
    return 10 * size
