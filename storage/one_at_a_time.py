"""One migration of a database at a time, however many begin at once: the others wait, and then find
that nothing is left to do.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

# In the advisory locks' 64-bit numbers, apart from those of the ledger.
_LOCK: Final = 0x4B3 << 50
ASKS_EVERY_S: Final = 0.3


@contextmanager
def migrating(connection: BaseDatabaseWrapper) -> Iterator[None]:
    if connection.vendor == "postgresql":
        yield from _with_advisory_lock(connection)
    else:
        yield from _with_folder_lock(Path(connection.settings_dict["NAME"]))


def _with_advisory_lock(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """On a connection beside the one that migrates, and of a transaction: a lock of a session would
    be lost behind a pooler. It ends with the process, whatever becomes of that."""
    beside = connection.copy()
    try:
        beside.set_autocommit(False)
        # Its turn may come after a migration of hours. It asks again and again: a statement that
        # waits has a snapshot, and an index that is made beside writes waits for all snapshots.
        while not _is_locked(beside):
            beside.rollback()
            time.sleep(ASKS_EVERY_S)
        yield
    finally:
        beside.close()


def _is_locked(beside: BaseDatabaseWrapper) -> bool:
    with beside.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout TO 0")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])


def _with_folder_lock(file: Path) -> Iterator[None]:
    """SQLite's own lock is for one transaction, and a migration is many."""
    if not file.parent.is_dir():
        yield  # In memory, or the first statement says what is wrong.
        return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
