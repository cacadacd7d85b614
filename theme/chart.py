"""Stacked columns as numbers for an SVG: the template draws it, no script is needed. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

TOP: Final = 12
BOTTOM: Final = 24
LABELS: Final = 8
WIDEST: Final = 72
# What is not nothing must be seen.
LOWEST: Final = 1.0


@dataclass(frozen=True, slots=True)
class Frame:
    """In the SVG's own units. `left` is room for the texts of the lines, `right` for half of the
    last label."""

    width: int = 960
    height: int = 240
    left: int = 64
    right: int = 16


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
    width: int
    height: int
    left: int
    right: int
    floor: int
    label_y: int


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
    frame: Frame | None = None,
) -> Chart | None:
    """`values` has a list for each name, with a number for each bucket. None for nothing but 0."""
    frame = frame or Frame()
    sums = [sum(column) for column in zip(*values, strict=True)] if values else []
    highest = max(sums, default=0)
    if highest == 0:
        return None
    top = _rounded_up(highest)
    floor, room = frame.height - BOTTOM, frame.height - BOTTOM - TOP
    left, right = frame.left, frame.width - frame.right
    step = (right - left) / len(buckets)
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
                        x=round(left + at * step + gap / 2, 2),
                        y=round(y, 2),
                        width=round(step - gap, 2),
                        height=round(max(height, LOWEST), 2),
                        title=f"{bucket.name}, {name}: {text(value)}",
                    )
                )
        columns.append(
            Column(
                begin=bucket.begin,
                end=bucket.end,
                x=round(left + at * step, 2),
                width=round(step, 2),
                title=f"{bucket.name}: {text(sums[at])}",
                parts=parts,
            )
        )
    every = -(-len(buckets) // LABELS)
    labels = [
        Label(round(left + (at + 0.5) * step, 2), bucket.name)
        for at, bucket in enumerate(buckets)
        if (len(buckets) - 1 - at) % every == 0
    ]
    lines = [
        Line(round(floor - share * room, 2), text(round(top * share))) for share in (0, 0.5, 1)
    ]
    return Chart(
        columns=columns,
        labels=labels,
        lines=lines,
        width=frame.width,
        height=frame.height,
        left=left,
        right=right,
        floor=floor,
        label_y=frame.height - 6,
    )


def _rounded_up(value: int) -> int:
    """The next number that begins with 1, 1.5, 2, 3, 4, 5, 6 or 8 and goes on in zeros."""
    size = 10 ** (len(str(value)) - 1)
    for tenths in (10, 15, 20, 30, 40, 50, 60, 80):
        if value * 10 <= tenths * size:
            return -(-tenths * size // 10)
    return 10 * size
