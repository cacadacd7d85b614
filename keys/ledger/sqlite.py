"""Transactions of the ledger on SQLite: statements one by one, with values in its own types."""

import math
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final

from keys.ledger.transaction import GroupTransaction, Insert, Values

_FULL: Final = "PRAGMA synchronous=FULL"
_NORMAL: Final = "PRAGMA synchronous=NORMAL"
# Where Django's object for a connection keeps what was set last, and on which connection.
_SET: Final = "ledger_synchronous"


@lru_cache(maxsize=64)
def _second_text(epoch_s: int) -> str:
    """Rows that are written together share a few seconds."""
    return str(datetime.fromtimestamp(epoch_s, UTC))[:-6]


class SqliteTransaction(GroupTransaction):
    def change(self, sql: str, many: Iterable[Values]) -> None:
        self._cursor.executemany(sql, many)

    def insert(self, into: Insert, rows: Sequence[Values]) -> None:
        self._cursor.executemany(into.sqlite, rows)

    def count_changed(self, sql: str, values: Values) -> int:
        return int(self._cursor.execute(sql, values).rowcount)

    def select(self, questions: Sequence[tuple[str, Values]]) -> list[list[Any]]:
        return [self._cursor.execute(sql, values).fetchall() for sql, values in questions]

    def lock(self, numbers: Callable[[], Iterable[int]]) -> None:
        pass

    def flush(self) -> None:
        pass

    def _begin(self) -> None:
        is_set = (self._django.connection, self._durable)
        if vars(self._django).get(_SET) != is_set:
            self._cursor.execute(_FULL if self._durable else _NORMAL)
            vars(self._django)[_SET] = is_set
        # Take the write lock at once: upgrading a read transaction later could fail.
        self._cursor.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        self._cursor.execute("COMMIT")

    @staticmethod
    def moment(value: datetime) -> str:
        return str(value)[:-6]

    @staticmethod
    def moment_at(epoch_s: float) -> str:
        fraction, second = math.modf(epoch_s)
        # As datetime rounds. What is close to a second is left to it, since it writes no zeros.
        microseconds = round(fraction * 1_000_000)
        if not 0 < microseconds < 1_000_000:
            return SqliteTransaction.moment(datetime.fromtimestamp(epoch_s, UTC))
        return f"{_second_text(int(second))}.{microseconds:06d}"

    @staticmethod
    def day(value: date) -> str:
        return str(value)

    @staticmethod
    def id(value: uuid.UUID) -> str:
        return value.hex
