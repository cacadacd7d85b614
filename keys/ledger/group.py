"""Writes one group in one transaction: rows, totals, released reservations, claims."""

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from keys.ledger import account_totals, budgets, month_totals, reservations
from keys.ledger import rows as ledger_rows
from keys.ledger.claims import Amounts
from keys.ledger.closed_days import ClosedDays
from keys.ledger.connection import LedgerConnection
from keys.ledger.engine import group_transaction
from keys.ledger.leases import Leases
from keys.ledger.mark import WriterMark
from keys.ledger.rows import LedgerRow
from keys.ledger.team_totals import TeamSums
from keys.ledger.totals import Sums
from keys.ledger.transaction import GroupTransaction
from keys.ledger.waiting import Waiting
from keys.ledger.windows import utc_day

LAST_USED_EVERY_S: Final = 60.0
NOTHING: Final = Amounts()


class GroupWriter:
    def __init__(
        self,
        mark: WriterMark,
        leases: Leases,
        own_connection: LedgerConnection,
        *,
        commit_delay_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._mark = mark
        self._leases = leases
        self._connection = own_connection
        self._commit_delay_s = commit_delay_s
        self._clock = clock
        self._last_used: dict[int, float] = {}
        self._closed_days = ClosedDays()

    def write(self, group: list[Waiting]) -> None:
        """When it returns, the group is committed."""
        durable: list[Waiting] = []
        claims: list[Waiting] = []
        released: list[uuid.UUID] = []
        unshared: dict[uuid.UUID, Amounts] = {}
        ended: list[uuid.UUID] = []
        for waiting in group:
            if waiting.is_durable:
                durable.append(waiting)
            if waiting.claim is not None:
                claims.append(waiting)
            if waiting.released is not None:
                released.append(waiting.released)
            if waiting.unshared is not None:
                share, amounts = waiting.unshared
                unshared[share] = amounts.plus(unshared.get(share, NOTHING))
                if waiting.ends_share:
                    ended.append(share)
        if not (durable or claims or released):
            return
        django = self._connection.prepare()
        used: dict[int, float] = {}
        with (
            django.wrap_database_errors,
            group_transaction(durable=bool(durable), on=django) as transaction,
        ):
            if durable:
                if not self._mark.move(transaction):
                    return
                used = self._write_rows(durable, transaction)
            # Release first, so that claims of this group can use what is free again.
            if unshared:
                reservations.take_out(unshared, transaction)
            if ended:
                reservations.end_shares(ended, transaction)
            if released:
                reservations.release(released, transaction)
            if claims:
                self._decide(claims, released, transaction)
            if self._commit_delay_s:
                time.sleep(self._commit_delay_s)
        self._last_used.update(used)

    def _write_rows(self, group: list[Waiting], transaction: GroupTransaction) -> dict[int, float]:
        rows: list[LedgerRow] = []
        values: list[tuple[Any, ...]] = []
        for waiting in group:
            if waiting.row is not None and waiting.values is not None:
                rows.append(waiting.row)
                values.append(waiting.values)
        sums, of_teams, of_accounts = _sums_of(group)
        ledger_rows.insert(transaction, values)
        ledger_rows.store_captured(rows, transaction)
        month_totals.forget_late(sums.days, utc_day(self._clock()), transaction)
        sums.write(transaction)
        of_teams.write(transaction)
        if of_accounts:
            account_totals.write(of_accounts, transaction)
        return self._touch_keys(rows, transaction)

    def _decide(
        self,
        group: list[Waiting],
        released: Sequence[uuid.UUID],
        transaction: GroupTransaction,
    ) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        if self._leases.are_held and time.monotonic() >= self._leases.extend_at:
            # After an outage: this worker's running requests must count, and no lease could be
            # extended.
            self._leases.extend(transaction, now, released=released)
        claims = [waiting.claim for waiting in group if waiting.claim is not None]
        decisions, held = budgets.decide(
            claims,
            transaction,
            writer=self._mark.writer,
            now=now,
            closed=self._closed_days,
            expired_by=self._leases.expired_by(),
            tried=[waiting.claim.id for waiting in group if waiting.tried and waiting.claim],
        )
        for waiting, claim in zip(group, claims, strict=True):
            waiting.decision = decisions[claim.id]
            waiting.held = held.get(claim.id)

    def _touch_keys(self, rows: list[LedgerRow], transaction: GroupTransaction) -> dict[int, float]:
        """Updates `last_used_at`, at most once a minute for a key and without a new revision."""
        used: dict[int, float] = {}
        for row in rows:
            if row.key_id is None:
                continue
            last = max(used.get(row.key_id, 0.0), self._last_used.get(row.key_id, 0.0))
            if row.started_at - last >= LAST_USED_EVERY_S or row.key_id in used:
                used[row.key_id] = max(last, row.started_at)
        if len(self._last_used) > 10_000:
            self._last_used.clear()
        if used:
            # Always in the same order, so that two writers cannot deadlock.
            moments = [(transaction.moment_at(used[key_id]), key_id) for key_id in sorted(used)]
            transaction.change(
                "UPDATE keys_key SET last_used_at = ? "
                "WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)",
                [(moment, key_id, moment) for moment, key_id in moments],
            )
        return used


def _sums_of(group: list[Waiting]) -> tuple[Sums, TeamSums, account_totals.AccountSums]:
    sums, of_teams = Sums(), TeamSums()
    of_accounts: account_totals.AccountSums = {}
    for waiting in group:
        if waiting.row is not None and waiting.values is not None:
            ledger_rows.add_to(sums, of_teams, of_accounts, waiting.row, waiting.values)
        for (place, names, kind), count in (waiting.refusals or {}).items():
            sums.add_refusals(place, names, kind, count)
    return sums, of_teams, of_accounts
