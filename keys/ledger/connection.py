"""The one database connection of the ledger's thread, made ready when it is new."""

import logging
from typing import Final

from django.db import connection

from keys.ledger.mark import WriterMark

logger = logging.getLogger(__name__)

# After a failure, each wait twice the one before.
FIRST_RETRY_S: Final = 0.05
LONGEST_RETRY_S: Final = 2.0
# SQLite: how long a commit waits for another writer before it counts as failed and is reported.
LOCK_WAIT_MS = 5_000


class LedgerConnection:
    def __init__(self, mark: WriterMark) -> None:
        self._mark = mark
        self._raw_connection: object = None

    def prepare(self) -> None:
        """Before each use: connects where it must, and sets up what is new."""
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
        """After a failure, so that the next use connects again."""
        try:
            connection.close()
        except Exception as error:
            # It is beyond closing; forget it, so that the next try makes a new one.
            logger.debug("Closing the ledger's connection: %s", type(error).__name__)
            connection.connection = None

    def close(self) -> None:
        self._raw_connection = None
        connection.close()
