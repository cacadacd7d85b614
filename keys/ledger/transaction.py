"""The transaction of a group of the ledger, with as few round trips as its engine allows.

It is on the way of each request, and Django's cursors and `atomic` cost more than most statements.
So statements go to the driver directly: `sqlite.py` and `postgresql.py` beside this say how, and
`engine.py` which of them it is.

Django is told that a transaction runs, so rare work may use the ORM in it, after `flush`. Errors
are the driver's: use `connection.wrap_database_errors` to get Django's.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

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
    def moment_at(epoch_s: float) -> Any:
        """The same, of the clock's seconds."""

    @staticmethod
    @abstractmethod
    def day(value: date) -> Any: ...

    @staticmethod
    @abstractmethod
    def id(value: uuid.UUID) -> Any: ...
