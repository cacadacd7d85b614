"""Sessions that ended recently, so that the playground's tokens end with them.

A token is checked in memory, and a session is a row in the database. So a session that ends leaves
a mark (`sessions.py`), which every worker reads within seconds and keeps until the session's tokens
have expired.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from keys.access.playground_token import LIFETIME_S, session_mark
from keys.models import EndedSession


class SignedOut:
    """`has` is for the event loop. The other methods use the database: call them on a thread."""

    def __init__(self) -> None:
        self._marks: frozenset[str] = frozenset()

    def has(self, mark: str) -> bool:
        return mark in self._marks

    def poll(self) -> None:
        self._marks = frozenset(_recent().values_list("mark", flat=True))

    def add(self, session_key: str) -> None:
        EndedSession.objects.exclude(pk__in=_recent()).delete()
        EndedSession.objects.get_or_create(mark=session_mark(session_key))
        # This worker knows at once, the others after their next poll.
        self.poll()


def _recent() -> Any:
    return EndedSession.objects.filter(ended_at__gt=timezone.now() - timedelta(seconds=LIFETIME_S))


# Of this process.
signed_out = SignedOut()
