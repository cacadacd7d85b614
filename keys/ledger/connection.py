"""The database connection of the ledger's thread: opened, configured, replaced after a failure."""

import logging
from typing import Final

from django.db import connection

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

    def prepare(self) -> None:
        """Call it before each use: connects if necessary, and configures a new connection."""
        connection.ensure_connection()
        if connection.connection is self._raw_connection:
            return
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA journal_mode=WAL")
                cursor.execute(f"PRAGMA busy_timeout={LOCK_WAIT_MS}")
        self._mark.ensure()
        self._raw_connection = connection.connection

    def drop(self) -> None:
        """Call it after a failure, so that the next use connects again."""
        try:
            connection.close()
        except Exception as error:
            # It cannot even be closed: drop it, so that the next try opens a new one.
            logger.debug("Closing the ledger's connection: %s", type(error).__name__)
            connection.connection = None

    def close(self) -> None:
        self._raw_connection = None
        connection.close()
