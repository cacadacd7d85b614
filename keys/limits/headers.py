"""The `x-ratelimit-*` headers, with OpenAI's names and formats. Pure."""

import math
from functools import lru_cache
from typing import Final

from keys.limits.counters import Hold

_OF_REQUESTS: Final = (
    b"x-ratelimit-limit-requests",
    b"x-ratelimit-remaining-requests",
    b"x-ratelimit-reset-requests",
)
_OF_TOKENS: Final = (
    b"x-ratelimit-limit-tokens",
    b"x-ratelimit-remaining-tokens",
    b"x-ratelimit-reset-tokens",
)


def ratelimit_headers(hold: Hold) -> list[tuple[bytes, bytes]]:
    """Headers for the limits that the key or its owner has."""
    headers = []
    for (limit, remaining, reset), level in (
        (_OF_REQUESTS, hold.requests()),
        (_OF_TOKENS, hold.tokens()),
    ):
        if level is not None:
            headers.append((limit, b"%d" % level.limit))
            headers.append((remaining, b"%d" % level.remaining))
            headers.append((reset, duration_text(level.reset_after_s).encode()))
    return headers


def duration_text(seconds: float) -> str:
    """In OpenAI's format: '0s', '120ms', '6s', '1m0s'. Rounded up, so that it is never too
    short."""
    if 0 < seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    return _text_of_seconds(math.ceil(seconds))


@lru_cache(maxsize=128)
def _text_of_seconds(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
