"""Deletes expired sessions while the gateway runs: Django leaves that to a command."""

import logging
import time
from typing import Final

from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.utils import timezone

logger = logging.getLogger(__name__)

# Short enough that the ledger, which waits meanwhile on SQLite, does not notice.
BATCH_ROWS: Final = 500
SWEEP_EVERY_S: Final = 60.0


class SessionSweep:
    """Deletes a batch at a time; every worker does."""

    def __init__(self) -> None:
        self._due_at = 0.0

    def look(self) -> None:
        if time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + SWEEP_EVERY_S
        overdue = Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date")
        try:
            keys = list(overdue.values_list("pk", flat=True)[:BATCH_ROWS])
            if keys:
                Session.objects.filter(pk__in=keys).delete()
        except DatabaseError as error:
            # The next try comes soon, here and in every other worker.
            logger.debug("Sessions were not deleted: %s", type(error).__name__)
