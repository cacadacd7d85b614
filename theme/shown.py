"""Values as the admin's lists show them."""

import json
from datetime import UTC, datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString


def moment(when: datetime | None, never: str = "never") -> SafeString:
    """UTC, which a script turns to the viewer's zone; UTC stays in the title."""
    if when is None:
        return format_html('<span class="quiet">{}</span>', never)
    utc = when.astimezone(UTC)
    return format_html(
        '<time class="nowrap" datetime="{}" title="{} UTC">{} UTC</time>',
        utc.isoformat(),
        f"{utc:%Y-%m-%d %H:%M:%S}",
        f"{utc:%Y-%m-%d %H:%M}",
    )


def indented_json(value: object) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
