"""Several reads that see one state of the database, between two commits of the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def snapshot() -> Iterator[None]:
    """All reads see one snapshot of the database and block nobody."""
    if connection.in_atomic_block:
        # A transaction of the caller's; on SQLite it is a snapshot as well.
        yield
        return
    with connection.cursor() as cursor:
        # Not `atomic`: on SQLite it begins as a writer, and the ledger would wait for the reader.
        is_postgresql = connection.vendor == "postgresql"
        cursor.execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if is_postgresql else "BEGIN"
        )
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
