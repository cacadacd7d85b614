"""Pages by cursor: a page begins after the last object of the one before, nothing is counted."""

import base64
import binascii
from typing import Any, Final

from django.db.models import QuerySet

from management_api.problems import bad_parameter

USUAL: Final = 50
MOST: Final = 200
_LONGEST: Final = 200


def page_size(request: Any, usual: int = USUAL, most: int = MOST) -> int:
    text = request.GET.get("page_size")
    if text is None:
        return usual
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= most):
        raise bad_parameter("page_size", f"'page_size' takes a whole number from 1 to {most}.")
    return int(text)


def cursor_text(request: Any) -> str | None:
    """What `cursor_of` was given; None for the first page."""
    cursor = request.GET.get("cursor")
    if not cursor:
        return None
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise bad_cursor()
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise bad_cursor() from None


def cursor_of(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("ascii")).decode().rstrip("=")


def bad_cursor() -> Exception:
    return bad_parameter("cursor", "'cursor' takes the 'next_cursor' of a page, unchanged.")


def cursor_number(request: Any) -> int | None:
    text = cursor_text(request)
    if text is None:
        return None
    if not (text.isdecimal() and len(text) < 19):
        raise bad_cursor()
    return int(text)


def page_of(request: Any, rows: QuerySet[Any]) -> tuple[list[Any], str | None]:
    """The rows of a page in the order of their ids, and the cursor of the next page."""
    size, after = page_size(request), cursor_number(request)
    if after is not None:
        rows = rows.filter(pk__gt=after)
    found = list(rows.order_by("pk")[: size + 1])
    return found[:size], cursor_of(str(found[size - 1].pk)) if len(found) > size else None
