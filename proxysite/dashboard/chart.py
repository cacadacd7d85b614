"""Stacked columns as numbers for an SVG: the template draws it, no script is needed. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

WIDTH: Final = 960
HEIGHT: Final = 240
LEFT: Final = 64
RIGHT: Final = 16
TOP: Final = 12
BOTTOM: Final = 24
LABELS: Final = 8
WIDEST: Final = 72


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Column:
    """What lies over the parts of one day, so that a click finds its rows however low it is."""

    begin: date
    end: date
    x: float
    width: float
    title: str
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Chart:
    columns: list[Column]
    labels: list[Label]
    lines: list[Line]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    floor: int = HEIGHT - BOTTOM
    label_y: int = HEIGHT - 6


@dataclass(frozen=True, slots=True)
class Bucket:
    """The days from `begin` to `end`, both in it."""

    begin: date
    end: date
    name: str


def stacked(
    buckets: Sequence[Bucket],
    names: Sequence[str],
    values: Sequence[Sequence[int]],
    text: Callable[[int], str],
) -> Chart | None:
    """`values` has a list for each name, with a number for each bucket. None for nothing but 0."""
    sums = [sum(column) for column in zip(*values, strict=True)] if values else []
    highest = max(sums, default=0)
    if highest == 0:
        return None
    top = _rounded_up(highest)
    floor, room = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
    step = (WIDTH - LEFT - RIGHT) / len(buckets)
    gap = max(min(6, step * 0.25), step - WIDEST)
    columns = []
    for at, bucket in enumerate(buckets):
        parts: list[Part] = []
        y = float(floor)
        for number, name in enumerate(names):
            value = values[number][at]
            height = value / top * room
            y -= height
            if value:
                parts.append(
                    Part(
                        number=number + 1,
                        x=round(LEFT + at * step + gap / 2, 2),
                        y=round(y, 2),
                        width=round(step - gap, 2),
                        height=round(max(height, 0.5), 2),
                        title=f"{bucket.name}, {name}: {text(value)}",
                    )
                )
        columns.append(
            Column(
                begin=bucket.begin,
                end=bucket.end,
                x=round(LEFT + at * step, 2),
                width=round(step, 2),
                title=f"{bucket.name}: {text(sums[at])}",
                parts=parts,
            )
        )
    every = -(-len(buckets) // LABELS)
    labels = [
        Label(round(LEFT + (at + 0.5) * step, 2), bucket.name)
        for at, bucket in enumerate(buckets)
        if (len(buckets) - 1 - at) % every == 0
    ]
    lines = [
        Line(round(floor - share * room, 2), text(round(top * share))) for share in (0, 0.5, 1)
    ]
    return Chart(columns, labels, lines)


def _rounded_up(value: int) -> int:
    """The next number that begins with 1, 1.5, 2, 3, 4, 5, 6 or 8 and goes on in zeros."""
    size = 10 ** (len(str(value)) - 1)
    for tenths in (10, 15, 20, 30, 40, 50, 60, 80):
        if value * 10 <= tenths * size:
            return -(-tenths * size // 10)
    return 10 * size
