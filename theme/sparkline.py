"""A few numbers as small columns, the last one today's."""

from collections.abc import Sequence
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

STEP: Final = 6
HEIGHT: Final = 24


def sparkline(values: Sequence[int], what: str) -> SafeString:
    """`what` names the numbers for screen readers."""
    highest = max(values, default=0)
    if highest == 0:
        return SafeString('<span class="quiet">none</span>')
    columns = format_html_join(
        "",
        '<rect class="series-1" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (
                at * STEP,
                round(HEIGHT - _height(value, highest), 1),
                STEP - 1,
                _height(value, highest),
            )
            for at, value in enumerate(values)
        ),
    )
    label = f"{what}, {len(values)} days: {sum(values):,}, today {values[-1]:,}"
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>'
        "{}</svg>",
        len(values) * STEP,
        HEIGHT,
        label,
        label,
        columns,
    )


def _height(value: int, highest: int) -> float:
    return round(max(value / highest * HEIGHT, 1.5 if value else 0), 1)
