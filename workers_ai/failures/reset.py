"""When a refused request may be sent again, as headers, body or words name it. Pure.

Retry-After comes in seconds or as a date (RFC 9110); AI Gateway's policies and other servers name a
moment or a time in their body, under one of several names.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

LONGEST_S: Final = 400 * 86_400.0
# Numbers from here on are moments, not times: seconds since 1970, and from the second milliseconds.
_MOMENT: Final = 1_000_000_000
_MOMENT_MS: Final = 1_000_000_000_000

_HEADERS: Final = ("retry-after", "ratelimit-reset", "x-ratelimit-reset")
# Names of fields without their `_`, in small letters.
_FIELDS: Final = frozenset(
    {
        *("retryafter", "retryafterseconds", "retryin", "reset", "resets", "resetat", "resetsat"),
        *(
            "resetin",
            "resetsin",
            "resettime",
            "windowend",
            "windowends",
            "windowendsat",
            "expiresat",
        ),
    }
)
_INSIDE: Final = ("error", "errors", "details", "metadata", "result")
_SAID = re.compile(
    r"\b(?:try again|retry(?: after)?|resets?|available(?: again)?|wait)\b[^\d]{0,20}?"
    r"(\d{1,9}(?:\.\d+)?) ?(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)\b",
    re.IGNORECASE,
)
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def seconds_until_reset(
    headers: Mapping[str, str], body: object, words: str, *, now: float
) -> float | None:
    """Seconds from `now` (epoch seconds); None where nothing names them."""
    for name in _HEADERS:
        found = _seconds(headers.get(name), now)
        if found is not None:
            return found
    found = _in_body(body, now, 4)
    return _in_words(words) if found is None else found


def _in_body(body: object, now: float, depth: int) -> float | None:
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, dict) or depth == 0:
        return None
    for name, value in list(body.items())[:50]:
        if str(name).replace("_", "").lower() in _FIELDS:
            found = _seconds(value, now)
            if found is not None:
                return found
    inner = (_in_body(body.get(name), now, depth - 1) for name in _INSIDE)
    return next((found for found in inner if found is not None), None)


def _in_words(words: str) -> float | None:
    found = _SAID.search(words[:500])
    if found is None:
        return None
    unit = found[2].lower()
    factor = 0.001 if unit.startswith(("ms", "milli")) else _UNITS[unit[0]]
    return _bounded(float(found[1]) * factor)


def _seconds(value: Any, now: float) -> float | None:
    """A time in seconds, a moment in seconds or milliseconds, an ISO moment or an HTTP date."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _until(value, now)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value >= _MOMENT_MS:
        return _bounded(value / 1_000 - now)
    return _bounded(value - now if value >= _MOMENT else value)


def _until(text: str, now: float) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
    return _bounded(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now)


def _bounded(seconds: float) -> float | None:
    """None for what is over or absurd, and for what is no number."""
    return seconds if 0 <= seconds <= LONGEST_S else None
