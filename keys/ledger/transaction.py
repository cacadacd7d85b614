"""The transaction of a group of the ledger, with as few round trips as its engine allows.

It is on the way of each request, and Django's cursors and `atomic` cost more than most statements.
So statements go to the driver directly: to SQLite one by one, with values in its own types; to
PostgreSQL in one message, where statements without a result are sent together with the next
statement that has one.

Django is told that a transaction runs, so rare work may use the ORM in it, after `flush`. Errors
are the driver's: use `connection.wrap_database_errors` to get Django's.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from types import TracebackType
from typing import Any, Final, Self

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.sql import quote

Values = Sequence[Any]


@dataclass(frozen=True)
class Insert:
    """An INSERT of rows into some columns of a table."""

    table: str
    columns: tuple[str, ...]
    on_conflict: str = ""

    @cached_property
    def sqlite(self) -> str:
        places = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.table} ({self._names}) VALUES ({places}) {self.on_conflict}"

    @cached_property
    def postgresql(self) -> tuple[str, str]:
        """The statement before and after the rows, which are one JSON text: one value for the
        driver, and the types come from the table."""
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

    A transaction that is not `durable` does not wait for the disk: it survives the end of the
    process, but not a crash of the machine in the moments after it.
    """

    def __init__(self, durable: bool, on: BaseDatabaseWrapper | None = None) -> None:
        self._durable = durable
        # The connection itself: Django's proxy would look it up at each use.
        self._django = connections[DEFAULT_DB_ALIAS] if on is None else on
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
        """Executes `sql` once for each of `many`."""

    @abstractmethod
    def insert(self, into: Insert, rows: Sequence[Values]) -> None: ...

    @abstractmethod
    def count_changed(self, sql: str, values: Values) -> int: ...

    @abstractmethod
    def select(self, questions: Sequence[tuple[str, Values]]) -> list[list[Any]]:
        """The rows of each question."""

    @abstractmethod
    def lock(self, numbers: Callable[[], Iterable[int]]) -> None:
        """Waits for locks that all transactions share and holds them to the end. Where one
        transaction at a time writes, as in SQLite, it holds them all, and `numbers` is not asked.
        """

    @abstractmethod
    def flush(self) -> None:
        """Call it before using the connection in any other way, such as by the ORM."""

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    # Convert values of these types for the methods above.

    @staticmethod
    @abstractmethod
    def moment(value: datetime) -> Any:
        """`value` is in UTC."""

    @staticmethod
    @abstractmethod
    def day(value: date) -> Any: ...

    @staticmethod
    @abstractmethod
    def id(value: uuid.UUID) -> Any: ...


_FULL: Final = "PRAGMA synchronous=FULL"
_NORMAL: Final = "PRAGMA synchronous=NORMAL"
# Where Django's object for a connection keeps what was set last, and on which connection.
_SET: Final = "ledger_synchronous"


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
    def day(value: date) -> str:
        return str(value)

    @staticmethod
    def id(value: uuid.UUID) -> str:
        return value.hex


# If this machine loses its network within a group, the server must not hold the group's locks for
# hours: other workers wait for them, and so does the next try. Longer than LEDGER_COMMIT_DELAY_MS.
_GIVE_UP_SILENT_CLIENT_MS: Final = 20_000


class PostgresqlTransaction(GroupTransaction):
    def __init__(self, durable: bool, on: BaseDatabaseWrapper | None = None) -> None:
        super().__init__(durable, on)
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

    def lock(self, numbers: Callable[[], Iterable[int]]) -> None:
        # Always in the same order, so that two writers cannot deadlock.
        locks = [(number,) for number in sorted(set(numbers()))]
        self.change("SELECT pg_advisory_xact_lock(?)", locks)

    def flush(self) -> None:
        if self._statements:
            script = ";\n".join(self._statements)
            self._statements = []
            self._cursor.execute(script)

    def _begin(self) -> None:
        # For this transaction only: with a pooler, a session's settings reach other clients.
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
    """The transaction class for the configured database."""
    return _ENGINES[connection.vendor]


def group_transaction(
    *, durable: bool = True, on: BaseDatabaseWrapper | None = None
) -> GroupTransaction:
    """`on`: this thread's connection, for who has it at hand."""
    return engine()(durable, on)
