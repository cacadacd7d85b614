"""Stacked columns as numbers for an SVG: `theme/chart.html` draws it, no script is needed. Pure.

The numbers are in units of a plane that the page stretches to the room it has, so that a chart fits
a phone as it fits a wide screen; its texts stand beside the plane and keep their size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

# Of the plane: each bucket has so many units of its width.
STEP: Final = 100
HEIGHT: Final = 200
# A column takes this share of its bucket's width, and no more than this one of the whole width.
SHARE: Final = 0.75
WIDEST: Final = 0.08
# A value above 0 must be visible.
LOWEST: Final = 1.5
# So many labels fit on a wide screen, and so many on a phone.
LABELS: Final = 8
LABELS_ON_A_PHONE: Final = 4


@dataclass(frozen=True, slots=True)
class Bucket:
    """The days from `begin` to `end`, both in it. `url` leads to what is behind its column."""

    begin: date
    end: date
    name: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Column:
    """`x` and `width` are those of the bucket, so that a click finds a column however low it is."""

    x: int
    width: int
    title: str
    url: str
    # Empty for most of many: they would not fit.
    label: str
    is_seldom: bool
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Chart:
    columns: list[Column]
    # The amounts at the top, in the middle and on the ground.
    lines: tuple[str, str, str]
    width: int
    is_linked: bool
    height: int = HEIGHT
    middle: int = HEIGHT // 2


def stacked(
    buckets: Sequence[Bucket],
    names: Sequence[str],
    values: Sequence[Sequence[int]],
    text: Callable[[int], str],
) -> Chart | None:
    """`values` has a list for each name, with a number for each bucket. None when all are 0."""
    sums = [sum(column) for column in zip(*values, strict=True)] if values else []
    highest = max(sums, default=0)
    if highest == 0:
        return None
    top = _rounded_up(highest)
    width = len(buckets) * STEP
    # The last bucket has a label, and from there back every second, third or further one.
    every = _steps(len(buckets), LABELS)
    every_on_a_phone = every * _steps(-(-len(buckets) // every), LABELS_ON_A_PHONE)
    columns = []
    for at, bucket in enumerate(buckets):
        named = [(name, line[at]) for name, line in zip(names, values, strict=True)]
        left = len(buckets) - 1 - at
        columns.append(
            Column(
                x=at * STEP,
                width=STEP,
                title=f"{bucket.name}: {text(sums[at])}",
                url=bucket.url,
                label="" if left % every else bucket.name,
                is_seldom=left % every_on_a_phone > 0,
                parts=_parts(at * STEP, width, bucket.name, named, top, text),
            )
        )
    return Chart(
        columns=columns,
        lines=(text(top), text(round(top / 2)), text(0)),
        width=width,
        is_linked=any(bucket.url for bucket in buckets),
    )


def _parts(
    x: int,
    chart_width: int,
    bucket: str,
    named: Sequence[tuple[str, int]],
    top: int,
    text: Callable[[int], str],
) -> list[Part]:
    width = min(STEP * SHARE, chart_width * WIDEST)
    parts = []
    y = float(HEIGHT)
    for number, (name, value) in enumerate(named, 1):
        height = value / top * HEIGHT
        y -= height
        if value:
            parts.append(
                Part(
                    number=number,
                    x=round(x + (STEP - width) / 2, 2),
                    y=round(min(y, HEIGHT - LOWEST), 2),
                    width=round(width, 2),
                    height=round(max(height, LOWEST), 2),
                    title=f"{bucket}, {name}: {text(value)}",
                )
            )
    return parts


def _steps(count: int, most: int) -> int:
    return -(-count // most)


def _rounded_up(value: int) -> int:
    """The next number that begins with 1, 1.5, 2, 3, 4, 5, 6 or 8 and goes on in zeros."""
    size = 10 ** (len(str(value)) - 1)
    for tenths in (10, 15, 20, 30, 40, 50, 60, 80):
        if value * 10 <= tenths * size:
            return -(-tenths * size // 10)
    return 10 * size
