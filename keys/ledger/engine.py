"""Which transactions the ledger has: those of the configured database."""

from functools import cache

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from keys.ledger.sqlite import SqliteTransaction
from keys.ledger.transaction import GroupTransaction


@cache
def engine() -> type[GroupTransaction]:
    if connection.vendor == "sqlite":
        return SqliteTransaction
    # Imported only here: its driver is 9 MiB, which a gateway on SQLite does not need.
    from keys.ledger.postgresql import PostgresqlTransaction

    return PostgresqlTransaction


def group_transaction(
    *, durable: bool = True, on: BaseDatabaseWrapper | None = None
) -> GroupTransaction:
    """`on`: this thread's connection, for who has it at hand."""
    return engine()(durable, on)
