"""The transaction of a group of the ledger, in as few words to the database as its engine allows.

Each request pays for it, and Django's cursors and `atomic` cost more than most of what they carry.
So statements go to the driver itself: SQLite takes them one by one, with values of its own forms;
PostgreSQL takes all of them that nobody needs an answer of together with the next one that
somebody does, in one message.

Django is told that a transaction runs, so what is rare may use the ORM in it, after `flush`.
Errors are the driver's: `connection.wrap_database_errors` around all of it makes them Django's.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from types import TracebackType
from typing import Any, Final, Self

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg.sql import quote

Values = Sequence[Any]


@dataclass(frozen=True)
class Insert:
    """Rows into some columns of a table."""

    table: str
    columns: tuple[str, ...]
    on_conflict: str = ""

    @cached_property
    def sqlite(self) -> str:
        places = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.table} ({self._names}) VALUES ({places}) {self.on_conflict}"

    @cached_property
    def postgresql(self) -> tuple[str, str]:
        """Before and after the rows, which come as one text: to the driver it is one value, and the
        table itself knows the types of what is in it."""
        return (
            f"INSERT INTO {self.table} ({self._names}) SELECT {self._names} "
            f"FROM json_populate_recordset(NULL::{self.table}, ",
            f") {self.on_conflict}",
        )

    @property
    def _names(self) -> str:
        return ", ".join(f'"{name}"' for name in self.columns)


class GroupTransaction(ABC):
    """Statements are in SQLite's form, with a `?` for each value.

    One that is not `durable` does not wait for the disk: it outlives the process, but for a moment
    not the machine.
    """

    def __init__(self, durable: bool) -> None:
        self._durable = durable
        # Itself, not what looks up the thread's each time.
        self._django = connections[DEFAULT_DB_ALIAS]
        self._cursor = self._django.connection.cursor()

    def __enter__(self) -> Self:
        self._begin()
        self._django.in_atomic_block, self._django.autocommit = True, False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._django.in_atomic_block = self._django.needs_rollback = False
        self._django.autocommit = True
        if error is not None:
            self._roll_back_or_close()
            return
        try:
            self._commit()
        except BaseException:
            self._roll_back_or_close()
            raise

    def _roll_back_or_close(self) -> None:
        try:
            self._django.connection.rollback()
        except Exception:
            self._django.close()

    @abstractmethod
    def change(self, sql: str, many: Iterable[Values]) -> None:
        """Once for each of `many`."""

    @abstractmethod
    def insert(self, into: Insert, rows: Sequence[Values]) -> None: ...

    @abstractmethod
    def count_changed(self, sql: str, values: Values) -> int: ...

    @abstractmethod
    def select(self, questions: Sequence[tuple[str, Values]]) -> list[list[Any]]:
        """The rows that each finds."""

    @abstractmethod
    def flush(self) -> None:
        """Before anything that goes past this transaction's methods."""

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    # How values of these types are given to the methods above.

    @staticmethod
    @abstractmethod
    def moment(value: datetime) -> Any:
        """Of a moment in UTC."""

    @staticmethod
    @abstractmethod
    def day(value: date) -> Any: ...

    @staticmethod
    @abstractmethod
    def id(value: uuid.UUID) -> Any: ...


class SqliteTransaction(GroupTransaction):
    def change(self, sql: str, many: Iterable[Values]) -> None:
        self._cursor.executemany(sql, many)

    def insert(self, into: Insert, rows: Sequence[Values]) -> None:
        self._cursor.executemany(into.sqlite, rows)

    def count_changed(self, sql: str, values: Values) -> int:
        return int(self._cursor.execute(sql, values).rowcount)

    def select(self, questions: Sequence[tuple[str, Values]]) -> list[list[Any]]:
        return [self._cursor.execute(sql, values).fetchall() for sql, values in questions]

    def flush(self) -> None:
        pass

    def _begin(self) -> None:
        self._cursor.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'NORMAL'}")
        # Writers queue for the lock at once instead of failing when they upgrade a read.
        self._cursor.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        self._cursor.execute("COMMIT")

    @staticmethod
    def moment(value: datetime) -> str:
        return str(value)[:-6]

    @staticmethod
    def day(value: date) -> str:
        return str(value)

    @staticmethod
    def id(value: uuid.UUID) -> str:
        return value.hex


# Should this machine fall silent in the middle of a group, the server must not keep its locks for
# hours: other workers wait for them, and so does its own next try. Longer than any drill's delay.
_GIVE_UP_SILENT_CLIENT_MS: Final = 20_000


class PostgresqlTransaction(GroupTransaction):
    def __init__(self, durable: bool) -> None:
        super().__init__(durable)
        self._statements: list[str] = []

    def change(self, sql: str, many: Iterable[Values]) -> None:
        self._statements += [self._filled(sql, values) for values in many]

    def insert(self, into: Insert, rows: Sequence[Values]) -> None:
        before, after = into.postgresql
        text = orjson.dumps([dict(zip(into.columns, row, strict=True)) for row in rows]).decode()
        self._statements.append(before + self._literal(text) + after)

    def count_changed(self, sql: str, values: Values) -> int:
        self._statements.append(self._filled(sql, values))
        self.flush()
        self._cursor.set_result(-1)
        return int(self._cursor.rowcount)

    def select(self, questions: Sequence[tuple[str, Values]]) -> list[list[Any]]:
        self._statements += [self._filled(sql, values) for sql, values in questions]
        self.flush()
        count = len(questions)
        return [self._cursor.set_result(at - count).fetchall() for at in range(count)]

    def flush(self) -> None:
        if self._statements:
            script = ";\n".join(self._statements)
            self._statements = []
            self._cursor.execute(script)

    def _begin(self) -> None:
        # Of this transaction alone: a pooler would give what is set for longer to somebody else.
        self._statements.append(
            f"BEGIN;\nSET LOCAL idle_in_transaction_session_timeout TO {_GIVE_UP_SILENT_CLIENT_MS}"
        )
        if not self._durable:
            self._statements.append("SET LOCAL synchronous_commit TO OFF")

    def _commit(self) -> None:
        self._statements.append("COMMIT")
        self.flush()

    @staticmethod
    def moment(value: datetime) -> datetime:
        return value

    @staticmethod
    def day(value: date) -> date:
        return value

    @staticmethod
    def id(value: uuid.UUID) -> uuid.UUID:
        return value

    def _filled(self, sql: str, values: Values) -> str:
        return sql.replace("?", "%s") % tuple([self._literal(value) for value in values])

    def _literal(self, value: Any) -> str:
        if isinstance(value, int):
            return str(value)
        if isinstance(value, uuid.UUID | date):
            return f"'{value}'"
        return quote(value, self._cursor)


_ENGINES: Final[dict[str, type[GroupTransaction]]] = {
    "sqlite": SqliteTransaction,
    "postgresql": PostgresqlTransaction,
}


@cache
def engine() -> type[GroupTransaction]:
    """Of the database in use."""
    return _ENGINES[connection.vendor]


def group_transaction(*, durable: bool = True) -> GroupTransaction:
    return engine()(durable)
