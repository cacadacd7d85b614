"""The database connection of the ledger's thread: opened, configured, replaced after a failure."""

import logging
import threading
from typing import Final

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from keys.ledger.mark import WriterMark

logger = logging.getLogger(__name__)

# The first and the longest wait before another try; each is twice the one before.
FIRST_RETRY_S: Final = 0.05
LONGEST_RETRY_S: Final = 2.0
# SQLite: how long a commit waits for another writer's lock before it counts as failed.
LOCK_WAIT_MS = 5_000


class LedgerConnection:
    def __init__(self, mark: WriterMark) -> None:
        self._mark = mark
        self._raw_connection: object = None
        # Django's object for the thread that asked last: its proxy looks it up at each use, which
        # costs more than the rest of `prepare`.
        self._django: BaseDatabaseWrapper | None = None
        self._thread = 0

    def prepare(self) -> BaseDatabaseWrapper:
        """Call it before each use: connects if necessary, and configures a new connection."""
        django = self._of_this_thread()
        if django.connection is None:
            django.ensure_connection()
        if django.connection is self._raw_connection:
            return django
        if django.vendor == "sqlite":
            with django.cursor() as cursor:
                cursor.execute("PRAGMA journal_mode=WAL")
                cursor.execute(f"PRAGMA busy_timeout={LOCK_WAIT_MS}")
        self._mark.ensure()
        self._raw_connection = django.connection
        return django

    def _of_this_thread(self) -> BaseDatabaseWrapper:
        thread = threading.get_ident()
        if self._django is None or self._thread != thread:
            self._django, self._thread = connections[DEFAULT_DB_ALIAS], thread
        return self._django

    def drop(self) -> None:
        """Call it after a failure, so that the next use connects again."""
        try:
            connection.close()
        except Exception as error:
            # It cannot even be closed: drop it, so that the next try opens a new one.
            logger.debug("Closing the ledger's connection: %s", type(error).__name__)
            connection.connection = None

    def close(self) -> None:
        self._raw_connection = self._django = None
        connection.close()
