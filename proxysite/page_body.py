"""The bodies of pages' requests, bounded: Django reads them whole before anybody looks at who asks.

A form is kilobytes. What is larger than Django keeps in memory it would write to a file, so nothing
larger is read, and a worker keeps a bounded amount for all who send at once.
"""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings

from openai_api.errors import ApiError, BodyTooLarge
from proxysite.api_request import Receive

MOST_HELD_BYTES: Final = 64 * 1024 * 1024
# Of each body these do not count, so that nobody's large ones keep a sign-in out.
UNCOUNTED_BYTES: Final = 64 * 1024


class TooManyBodies(ApiError):
    """Others send so much that this one has no room."""

    status = 503

    def __init__(self) -> None:
        super().__init__(
            "Too many large requests are being sent at the moment. Please try again.",
            headers={"retry-after": "10"},
        )


class PageBodies:
    """Those that a worker holds. Each is let go when its request ends."""

    def __init__(self) -> None:
        self._held = 0

    @contextmanager
    def reading(self, scope: MutableMapping[str, Any], receive: Receive) -> Iterator[Receive]:
        """`receive` for a request's time; it raises BodyTooLarge and TooManyBodies."""
        limit = settings.FILE_UPLOAD_MAX_MEMORY_SIZE
        size = counted = 0

        async def bounded() -> MutableMapping[str, Any]:
            nonlocal size, counted
            if size == 0 and _announced(scope) > limit:
                raise BodyTooLarge(limit)
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise BodyTooLarge(limit)
            counts = max(0, size - UNCOUNTED_BYTES)
            self._held += counts - counted
            counted = counts
            if counts and self._held > MOST_HELD_BYTES:
                raise TooManyBodies
            return message

        try:
            yield bounded
        finally:
            self._held -= counted


def _announced(scope: MutableMapping[str, Any]) -> int:
    """What the length says; the server has seen that it is a number, if there is one."""
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0
