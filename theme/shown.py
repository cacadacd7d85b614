"""Values as the admin's lists show them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def moment(when: datetime | None, never: str = "never") -> SafeString:
    """UTC, which a script converts to the viewer's time zone; UTC stays in the title."""
    if when is None:
        return format_html('<span class="quiet">{}</span>', never)
    utc = when.astimezone(UTC)
    return format_html(
        '<time class="nowrap" datetime="{}" title="{} UTC">{} UTC</time>',
        utc.isoformat(),
        f"{utc:%Y-%m-%d %H:%M:%S}",
        f"{utc:%Y-%m-%d %H:%M}",
    )


def tag(text: str, kind: str = "") -> SafeString:
    """A state in one word. `kind` is "good", "warn", "bad" or nothing."""
    return format_html('<span class="tag {}">{}</span>', kind, text)


def noted(text: str | SafeString, note: str) -> SafeString:
    """A text with a smaller one below it."""
    return format_html('<span class="noted">{} <span class="note">{}</span></span>', text, note)


def lines(texts: Iterable[str], none: str = "–") -> SafeString:
    """A line for each."""
    shown = format_html_join("", "<span>{}</span>", ((text,) for text in texts))
    return format_html('<span class="lines">{}</span>', shown or none)


def indented_json(value: object) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
