"""Transactions of the ledger on PostgreSQL: statements in one message, where those without a result
are sent together with the next one that has one.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import orjson
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.sql import quote

from keys.ledger.transaction import GroupTransaction, Insert, Values

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
    def moment_at(epoch_s: float) -> datetime:
        return datetime.fromtimestamp(epoch_s, UTC)

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
