"""The record step: rows in, one transaction for all that came together, and only then "done".

A row is queued from the event loop; one thread with the only connection of its own writes groups.
A lone row is written at once; what arrives during a commit is the next group, so groups grow with
load and nobody waits for company. A row's future resolves after its commit, never before.

When the database fails the rows stay in memory in their order and are tried again; admission asks
`check_room` and refuses new requests once too many wait. A commit whose outcome is unknown is
settled by `LedgerMark`, which moves in the same transaction, so no group is written twice.

Totals move in the group's transaction, and budgets are decided in it (`budgets.py`): a claim is
queued like a row and answered after the commit, so that there is one writer a process.
"""

import asyncio
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from django.conf import settings
from django.db import DataError, IntegrityError, connection
from django.utils import timezone

from keys.errors import LedgerFull, LedgerUnavailable, RowRefused
from keys.ledger import budgets, month_totals
from keys.ledger import rows as ledger_rows
from keys.ledger.budgets import Claim, Shortfall
from keys.ledger.captured import TOO_MUCH_WAITED
from keys.ledger.rows import LedgerRow
from keys.ledger.totals import Names, Place, Sums
from keys.ledger.transaction import GroupTransaction, group_transaction
from keys.models import LedgerMark

logger = logging.getLogger(__name__)

FIRST_RETRY_S: Final = 0.05
LONGEST_RETRY_S: Final = 2.0
# SQLite: how long a commit waits for another writer before it counts as failed and is reported.
LOCK_WAIT_MS = 5_000
# A commit costs far more than a row. After a group of n the next one waits until n squared times
# this has passed since that group began, so that rows share commits under load; after a rest, or
# after its own reservation, a lone row is written at once.
SPACING_S: Final = 0.001
LONGEST_SPACING_S: Final = 0.012
LAST_USED_EVERY_S: Final = 60.0
# Longer than any outage through which a writer could hold a group of unknown outcome.
MARKS_KEPT: Final = timedelta(days=7)
# Refusals are counted in the next group of rows, or after this when there is none: somebody who
# hammers at a limit costs a commit a second.
REFUSALS_WAIT_S: Final = 1.0
SWEEP_EVERY_S: Final = 60.0
# After an outage every worker tries again within LONGEST_RETRY_S and then extends its leases; until
# all have had the time, the leases that ended meanwhile go on counting.
RETURN_S: Final = 10.0
# With more rows than these waiting, captured texts are let go: they are what takes memory.
CAPTURED_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    running: bool
    depth: int
    full: bool
    oldest_age_s: float
    last_error: str
    degraded_since: float | None
    rows_written: int
    groups_written: int

    @property
    def problem(self) -> str:
        """What is wrong, in a few words; empty when all is well."""
        if not self.running:
            return "the ledger does not run"
        if self.degraded_since is not None:
            return f"the ledger cannot write ({self.last_error}), {self.depth} rows wait"
        if self.full:
            # Behind somebody's lock, for one, long before that counts as a failure.
            return f"the ledger is full: {self.depth} rows wait for the database"
        if self.oldest_age_s >= settings.BUDGET_TIMEOUT:
            # From then on requests of keys with a budget are refused.
            return f"the ledger has waited for the database for {self.oldest_age_s:.0f} s"
        return ""


Refusals = dict[tuple[Place, Names, str], int]


@dataclass(slots=True)
class _Waiting:
    """One thing to do. With nothing to do at all: to be told when all before it is in."""

    future: "asyncio.Future[Any] | None" = None
    queued_at: float = field(default_factory=time.monotonic)
    row: LedgerRow | None = None
    values: tuple[Any, ...] | None = None
    claim: Claim | None = None
    shortfall: Shortfall | None = None
    released: uuid.UUID | None = None
    refusals: Refusals | None = None
    # The outcome of an earlier try is not known.
    tried: bool = False

    @property
    def lasts(self) -> bool:
        """It must be in once and not twice, and on the disk before anybody is told.

        Of reservations neither is asked. They outlive the death of any process, and at the
        machine's own death the requests are gone with them: that spares a request with a budget
        one of its two waits for the disk. And setting the same aside again, or freeing it again,
        changes nothing."""
        return self.values is not None or self.refusals is not None


class LedgerWriter:
    """Start it in the process that serves: a thread does not survive a fork."""

    def __init__(
        self,
        *,
        queue_rows: int | None = None,
        group_rows: int | None = None,
        commit_delay_ms: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._queue_rows = queue_rows or settings.LEDGER_QUEUE_ROWS
        self._group_rows = group_rows or settings.LEDGER_GROUP_ROWS
        # For failure drills: every commit takes this much longer.
        delay_ms = settings.LEDGER_COMMIT_DELAY_MS if commit_delay_ms is None else commit_delay_ms
        self._commit_delay_s = delay_ms / 1000
        self._writer_id = uuid.uuid4()
        self._writer_pid = os.getpid()
        # Of those that last.
        self._groups_in = 0
        self._queue: deque[_Waiting] = deque()
        # Rows that are queued or in hand, which is what the bound is for.
        self._rows_waiting = 0
        # Claims that nobody has looked at: whoever gives up takes his back out, so that during an
        # outage there are no more than requests that wait.
        self._claims: dict[uuid.UUID, _Waiting] = {}
        self._in_hand: Sequence[_Waiting] = ()
        self._arrived = threading.Condition()
        self._stopping = threading.Event()
        self._give_up_at: float | None = None
        self._thread: threading.Thread | None = None
        self._next_group_at = 0.0
        self._raw_connection: object = None
        self._last_used: dict[int, float] = {}
        self._refusals: Refusals = {}
        self._refusals_due_at = 0.0
        self._held: dict[uuid.UUID, Claim] = {}
        # When the database answered last and since when it does not, by the clock; its return.
        self._answered_at = clock()
        self._away_since: float | None = None
        self._back_at: float | None = None
        self._closed_months = budgets.ClosedMonths()
        self._heartbeat_at = self._sweep_at = 0.0
        self._last_error = ""
        self._degraded_since: float | None = None
        self._rows_written = 0
        self._groups_written = 0

    # --- from the event loop ------------------------------------------------------------------

    def check_room(self) -> None:
        """Before a request is admitted: can its row be kept? Requests that run already may always
        queue theirs, so memory is bounded by the bound plus what is in flight."""
        if self._thread is None or self._stopping.is_set() or not self._thread.is_alive():
            raise LedgerUnavailable("The ledger does not run, so requests cannot be recorded.")
        if self._is_full():
            raise LedgerFull(
                "The database has been unreachable for too long and no more requests can be "
                "recorded now. Please try again later."
            )

    def put(
        self,
        row: LedgerRow,
        loop: asyncio.AbstractEventLoop,
        reservation: uuid.UUID | None = None,
    ) -> "asyncio.Future[None]":
        """Queue a row. The future resolves on `loop`, the running one, after the commit, which
        frees what the request had reserved."""
        future: asyncio.Future[None] = loop.create_future()
        self._enqueue(_Waiting(future, row=row, released=reservation))
        return future

    def put_nowait(self, row: LedgerRow, reservation: uuid.UUID | None = None) -> None:
        """Queue a row that nobody waits for. Needs no event loop."""
        self._enqueue(_Waiting(row=row, released=reservation))

    def written(self) -> "asyncio.Future[None]":
        """Resolves when every row that is queued now is committed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(_Waiting(future))
        return future

    def claim(self, claim: Claim) -> "asyncio.Future[Shortfall | None]":
        """Resolves to None once the claim's amounts are set aside, else to what fell short."""
        future: asyncio.Future[Shortfall | None] = asyncio.get_running_loop().create_future()
        with self._arrived:
            self._claims[claim.id] = _Waiting(future, claim=claim)
            self._arrived.notify()
        return future

    def release(self, reservation: uuid.UUID) -> None:
        """Give back what a claim set aside, should it have."""
        with self._arrived:
            if self._claims.pop(reservation, None) is None:
                self._queue.append(_Waiting(released=reservation))
                self._arrived.notify()

    def count_refusal(self, place: Place, names: Names, kind: str) -> None:
        """`kind` is one of `totals.REFUSED`. Nobody waits, and memory is bounded by the keys."""
        what = (place, names, kind)
        with self._arrived:
            if not self._refusals:
                self._refusals_due_at = time.monotonic() + REFUSALS_WAIT_S
                self._arrived.notify()
            self._refusals[what] = self._refusals.get(what, 0) + 1

    def _enqueue(self, waiting: _Waiting) -> None:
        with self._arrived:
            self._queue.append(waiting)
            if waiting.row is not None:
                self._rows_waiting += 1
                if waiting.row.captured is not None and self._rows_waiting > CAPTURED_ROWS:
                    waiting.row.captured = TOO_MUCH_WAITED
            if waiting.released is not None:
                self._claims.pop(waiting.released, None)
            self._arrived.notify()

    def health(self) -> LedgerHealth:
        oldest = next(iter(self._in_hand), None)
        if oldest is None:
            with self._arrived:
                oldest = self._queue[0] if self._queue else None
        return LedgerHealth(
            running=self._thread is not None and self._thread.is_alive(),
            depth=self._rows_waiting,
            full=self._is_full(),
            oldest_age_s=0.0 if oldest is None else time.monotonic() - oldest.queued_at,
            last_error=self._last_error,
            degraded_since=self._degraded_since,
            rows_written=self._rows_written,
            groups_written=self._groups_written,
        )

    def _is_full(self) -> bool:
        return self._rows_waiting >= self._queue_rows

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        if self._writer_pid != os.getpid():
            # Made before a fork: two processes must not move the same mark.
            self._writer_id, self._writer_pid = uuid.uuid4(), os.getpid()
            self._groups_in = 0
        self._stopping.clear()
        self._give_up_at = None
        self._answered_at = self._clock()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Write what is queued, then end. False if rows are left after `timeout_s`."""
        if self._thread is None:
            return self._rows_waiting == 0
        with self._arrived:
            self._give_up_at = time.monotonic() + timeout_s
            self._stopping.set()
            self._arrived.notify()
        self._thread.join(timeout_s + 0.5)
        left = self._rows_waiting
        if left:
            logger.error("The ledger stopped with %d rows not written.", left)
        return left == 0

    # --- on the ledger's thread ---------------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                # What an earlier stop had to give up comes first, as the same group.
                group = self._in_hand or self._next_group()
                if group:
                    self._in_hand = group
                    if not self._write_until_in(group):
                        return
                    self._in_hand = ()
                elif self._stopping.is_set():
                    return
                self._do_chores()
        finally:
            self._raw_connection = None
            connection.close()

    def _next_group(self) -> list[_Waiting]:
        """Wait for something to write. Empty when a chore is due, or when the ledger is to stop
        and all is written."""
        with self._arrived:
            while not (self._queue or self._claims):
                chore_in_s = self._chore_due_at() - time.monotonic()
                if self._stopping.is_set() or chore_in_s <= 0:
                    break
                self._arrived.wait(chore_in_s)
        early_s = self._next_group_at - time.monotonic()
        if early_s > 0 and 0 < len(self._queue) + len(self._claims) < self._group_rows:
            time.sleep(early_s)
        with self._arrived:
            size = min(len(self._queue), self._group_rows)
            group = [self._queue.popleft() for _ in range(size)]
            if not self._queue:
                # After every row before them: what is spent must be in the totals by then.
                ids = list(islice(self._claims, self._group_rows))
                group += [self._claims.pop(each) for each in ids]
            size = len(group)
            due = size or self._stopping.is_set() or self._refusals_due_at <= time.monotonic()
            if self._refusals and due:
                group.append(_Waiting(refusals=self._refusals))
                self._refusals = {}
        spacing_s = min(SPACING_S * size * size, LONGEST_SPACING_S)
        self._next_group_at = time.monotonic() + spacing_s
        return group

    def _chore_due_at(self) -> float:
        due_at = self._sweep_at
        if self._refusals:
            due_at = min(due_at, self._refusals_due_at)
        if self._held:
            due_at = min(due_at, self._heartbeat_at)
        return due_at

    def _do_chores(self) -> None:
        """Keep the leases of what is reserved here; delete those that others left behind; sum a
        month that is over."""
        now = time.monotonic()
        is_beat = bool(self._held) and now >= self._heartbeat_at
        is_sweep = now >= self._sweep_at
        if not (is_beat or is_sweep):
            return
        moment = datetime.fromtimestamp(self._clock(), UTC)
        self._heartbeat_at = now + budgets.HEARTBEAT_S
        self._sweep_at = now + SWEEP_EVERY_S
        try:
            self._prepare_connection()
            if is_beat:
                with group_transaction() as transaction:
                    budgets.extend_leases(
                        self._held.values(), transaction, writer=self._writer_id, now=moment
                    )
            if is_sweep:
                budgets.sweep(self._lapsed_by())
                month_totals.make_next(moment.date())
        except Exception as error:
            # The next group will say more; the leases last for three beats.
            logger.debug("The ledger's chores failed: %s", type(error).__name__)
            self._note_away()
            self._drop_connection()
            self._heartbeat_at = now + LONGEST_RETRY_S
        else:
            self._note_back()

    def _write_until_in(self, group: Sequence[_Waiting]) -> bool:
        """False when the ledger was told to stop and the database did not come back in time."""
        group = self._without_unreadable(group)
        wait_s = FIRST_RETRY_S
        while True:
            try:
                self._write(group)
            except (DataError, IntegrityError) as error:
                # A statement failed, so nothing of this group is in: look for the row at fault.
                if len(group) > 1:
                    return all(self._write_until_in([waiting]) for waiting in group)
                self._refuse(group[0], error)
                return True
            except Exception as error:
                # Whatever it is, these rows must not be lost: keep them, say so, try again.
                self._note_failure(error)
                self._drop_connection()
                for waiting in group:
                    waiting.tried = True
                if not self._pause(wait_s):
                    return False
                wait_s = min(wait_s * 2, LONGEST_RETRY_S)
            else:
                self._note_success(group)
                _resolve_futures(group)
                return True

    def _write(self, group: list[_Waiting]) -> None:
        """When it returns, the group is in."""
        lasting = [waiting for waiting in group if waiting.lasts]
        claims = [waiting for waiting in group if waiting.claim is not None]
        released = [waiting.released for waiting in group if waiting.released is not None]
        if not (lasting or claims or released):
            return
        self._prepare_connection()
        used: dict[int, float] = {}
        with (
            connection.wrap_database_errors,
            group_transaction(durable=bool(lasting)) as transaction,
        ):
            if lasting:
                if not self._claim_group(transaction):
                    return
                used = self._write_rows(lasting, transaction)
            # First what is free again, then who may have it.
            if released:
                budgets.release(released, transaction)
            if claims:
                self._decide(claims, released, transaction)
            if self._commit_delay_s:
                time.sleep(self._commit_delay_s)
        self._last_used.update(used)

    def _write_rows(self, group: list[_Waiting], transaction: GroupTransaction) -> dict[int, float]:
        rows = [waiting.row for waiting in group if waiting.row is not None]
        values = [waiting.values for waiting in group if waiting.values is not None]
        sums = _sums_of(group)
        ledger_rows.insert(transaction, values)
        ledger_rows.store_captured(rows, transaction)
        month_totals.forget_late(sums.days, budgets.utc_day(self._clock()), transaction)
        sums.write(transaction)
        return self._touch_keys(rows, transaction)

    def _decide(
        self,
        group: list[_Waiting],
        released: Sequence[uuid.UUID],
        transaction: GroupTransaction,
    ) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        if self._held and time.monotonic() >= self._heartbeat_at:
            # After an outage: what runs here must count, though no lease could be extended.
            still = [claim for id, claim in self._held.items() if id not in released]
            budgets.extend_leases(still, transaction, writer=self._writer_id, now=now)
        claims = [waiting.claim for waiting in group if waiting.claim is not None]
        decisions = budgets.decide(
            claims,
            transaction,
            writer=self._writer_id,
            now=now,
            closed=self._closed_months,
            lapsed_by=self._lapsed_by(),
            tried=[waiting.claim.id for waiting in group if waiting.tried and waiting.claim],
        )
        for waiting, claim in zip(group, claims, strict=True):
            waiting.shortfall = decisions[claim.id]

    def _claim_group(self, transaction: GroupTransaction) -> bool:
        """Move this writer's mark to the group. False if an earlier try of it did get in.

        The condition makes a second try wait for the first, should the database still be at it.
        """
        number, now = self._groups_in + 1, datetime.now(UTC)
        moved = transaction.count_changed(
            "UPDATE keys_ledgermark SET group_number = ?, written_at = ? "
            "WHERE writer = ? AND group_number = ?",
            (number, transaction.moment(now), transaction.id(self._writer_id), number - 1),
        )
        if moved == 1:
            return True
        mine = LedgerMark.objects.filter(writer=self._writer_id)
        if mine.filter(group_number=number).exists():
            return False
        # Somebody emptied the table, or put back a backup of it.
        LedgerMark.objects.update_or_create(
            writer=self._writer_id, defaults={"group_number": number, "written_at": now}
        )
        return True

    def _touch_keys(self, rows: list[LedgerRow], transaction: GroupTransaction) -> dict[int, float]:
        """`last_used_at` moves at most once a minute a key, and without a new revision."""
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
            # In one order everywhere, so that two writers never wait for each other in a circle.
            moments = [
                (transaction.moment(datetime.fromtimestamp(used[key_id], UTC)), key_id)
                for key_id in sorted(used)
            ]
            transaction.change(
                "UPDATE keys_key SET last_used_at = ? "
                "WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)",
                [(moment, key_id, moment) for moment, key_id in moments],
            )
        return used

    def _prepare_connection(self) -> None:
        connection.ensure_connection()
        if connection.connection is self._raw_connection:
            return
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA journal_mode=WAL")
                cursor.execute(f"PRAGMA busy_timeout={LOCK_WAIT_MS}")
        # Outside the group's transaction, so that `_claim_group` always has a row to wait for.
        LedgerMark.objects.get_or_create(
            writer=self._writer_id,
            defaults={"group_number": self._groups_in, "written_at": timezone.now()},
        )
        LedgerMark.objects.filter(written_at__lt=timezone.now() - MARKS_KEPT).exclude(
            writer=self._writer_id
        ).delete()
        self._raw_connection = connection.connection

    def _drop_connection(self) -> None:
        try:
            connection.close()
        except Exception as error:
            # It is beyond closing; forget it, so that the next try makes a new one.
            logger.debug("Closing the ledger's connection: %s", type(error).__name__)
            connection.connection = None

    def _pause(self, wait_s: float) -> bool:
        """Wait before the next try; False when the time to stop is over."""
        self._stopping.wait(wait_s)
        if self._give_up_at is None:
            return True
        if time.monotonic() >= self._give_up_at:
            return False
        time.sleep(FIRST_RETRY_S)
        return True

    def _without_unreadable(self, group: Sequence[_Waiting]) -> list[_Waiting]:
        """Rows that cannot even be turned into values are refused; the rest go on."""
        readable = []
        for waiting in group:
            try:
                if waiting.row is not None:
                    waiting.values = ledger_rows.values_of(waiting.row)
            except (TypeError, ValueError, OverflowError, AttributeError) as error:
                self._refuse(waiting, error)
            else:
                readable.append(waiting)
        return readable

    def _refuse(self, waiting: _Waiting, error: Exception) -> None:
        request_id = waiting.row.request_id if waiting.row else ""
        self._rows_no_more_wait(waiting.row is not None)
        if waiting.row is not None and waiting.released is not None:
            # What the request had reserved is free all the same.
            self.release(waiting.released)
        self._last_error = type(error).__name__
        logger.error("The ledger cannot store the row of %s: %s", request_id, type(error).__name__)
        _resolve_futures([waiting], lambda: RowRefused("The request's row cannot be stored."))

    def _rows_no_more_wait(self, count: int) -> None:
        with self._arrived:
            self._rows_waiting -= count

    def _note_failure(self, error: Exception) -> None:
        self._last_error = type(error).__name__
        self._note_away()
        if self._degraded_since is None:
            self._degraded_since = time.time()
            logger.error(
                "The ledger cannot write (%s); %d rows wait in memory.",
                type(error).__name__,
                self._rows_waiting,
            )

    def _note_success(self, group: list[_Waiting]) -> None:
        rows = sum(waiting.row is not None for waiting in group)
        self._groups_in += any(waiting.lasts for waiting in group)
        self._rows_written += rows
        self._rows_no_more_wait(rows)
        self._groups_written += 1
        if not self._held:
            self._heartbeat_at = time.monotonic() + budgets.HEARTBEAT_S
        self._note_back()
        for waiting in group:
            if waiting.claim is not None and waiting.shortfall is None:
                self._held[waiting.claim.id] = waiting.claim
            if waiting.released is not None:
                self._held.pop(waiting.released, None)
        if self._degraded_since is not None:
            logger.warning(
                "The ledger writes again after %.1f s.", time.time() - self._degraded_since
            )
            self._degraded_since = None

    def _note_away(self) -> None:
        self._back_at = None
        if self._away_since is None:
            self._away_since = self._answered_at

    def _note_back(self) -> None:
        self._answered_at = self._clock()
        if self._away_since is not None and self._back_at is None:
            self._back_at = time.monotonic()

    def _lapsed_by(self) -> datetime:
        """Leases that ended by then are over: now, or the beginning of an outage through which
        nobody could extend any."""
        if self._back_at is not None and time.monotonic() - self._back_at >= RETURN_S:
            self._away_since = self._back_at = None
        moment = self._clock() if self._away_since is None else self._away_since
        return datetime.fromtimestamp(moment, UTC)


def _sums_of(group: list[_Waiting]) -> Sums:
    sums = Sums()
    for waiting in group:
        if waiting.row is not None and waiting.values is not None:
            ledger_rows.add_to(sums, waiting.row, waiting.values)
        for (place, names, kind), count in (waiting.refusals or {}).items():
            sums.add_refusals(place, names, kind, count)
    return sums


Told = list[tuple["asyncio.Future[Any]", Shortfall | None]]


def _resolve_futures(group: list[_Waiting], failure: Callable[[], Exception] | None = None) -> None:
    """One call into each loop for the whole group."""
    by_loop: dict[asyncio.AbstractEventLoop, Told] = {}
    for waiting in group:
        if waiting.future is not None:
            told = by_loop.setdefault(waiting.future.get_loop(), [])
            told.append((waiting.future, waiting.shortfall))
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, told, failure)
        except RuntimeError:
            # The loop is closed: nobody is left to be told, and the rows are in.
            continue


def _resolve(told: Told, failure: Callable[[], Exception] | None) -> None:
    for future, result in told:
        if future.done():
            continue
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure())


# This process's writer. It runs only between `start` and `stop`.
ledger = LedgerWriter()
