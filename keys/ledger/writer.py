"""The record step: writes rows in groups, one transaction for each group.

A row is queued from the event loop; one thread with a connection of its own writes groups. A single
row is written at once; what arrives during a commit is the next group, so groups grow with load.
The future of a row resolves after its commit, never before.

While the database fails, rows stay in memory in their order and are tried again. Admission calls
`check_room`, which refuses new requests once too many rows wait. Writing is idempotent (`mark.py`):
a commit whose outcome is unknown is never repeated.

Totals are updated in the group's transaction, and budgets are decided in it (`budgets.py`): a claim
is queued like a row and answered after the commit. So each process has one writer.
"""

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import DataError, IntegrityError

from keys.errors import LedgerFull, LedgerUnavailable, NotRecordedInTime, RowRefused
from keys.ledger import rows as ledger_rows
from keys.ledger.chores import Chores
from keys.ledger.claims import Claim, Decision
from keys.ledger.connection import FIRST_RETRY_S, LONGEST_RETRY_S, LedgerConnection
from keys.ledger.group import GroupWriter
from keys.ledger.health import LedgerHealth
from keys.ledger.leases import Leases
from keys.ledger.mark import WriterMark
from keys.ledger.queue import LedgerQueue
from keys.ledger.rows import LedgerRow
from keys.ledger.shares import Part, Shares
from keys.ledger.totals import Names, Place
from keys.ledger.waiting import Waiting, resolve_futures
from storage.words import engine_words, public_words

logger = logging.getLogger(__name__)

# What a request has reserved of budgets: by itself, or as a part of a share.
Held = uuid.UUID | Part | None


class LedgerWriter:
    """Start it in the process that serves requests: threads do not survive a fork."""

    def __init__(
        self,
        *,
        queue_rows: int | None = None,
        group_rows: int | None = None,
        commit_delay_ms: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # For tests of failures: every commit takes this much longer.
        delay_ms = settings.LEDGER_COMMIT_DELAY_MS if commit_delay_ms is None else commit_delay_ms
        self._queue = LedgerQueue(
            full_rows=queue_rows or settings.LEDGER_QUEUE_ROWS,
            group_rows=group_rows or settings.LEDGER_GROUP_ROWS,
        )
        # For requests that need not claim what they use.
        self.shares = Shares(self._queue)
        self._mark = WriterMark()
        self._connection = LedgerConnection(self._mark)
        self._leases = Leases(self._mark, clock)
        self._chores = Chores(self._leases, self._connection, clock)
        self._groups = GroupWriter(
            self._mark, self._leases, self._connection, commit_delay_s=delay_ms / 1000, clock=clock
        )
        self._current_group: Sequence[Waiting] = ()
        self._give_up_at: float | None = None
        self._thread: threading.Thread | None = None
        # From `start` until `stop`, or until the thread ends by a failure that nobody foresaw.
        self._takes_rows = False
        self._last_error = ""
        self._degraded_since: float | None = None
        # A request was told that its row is not committed yet, and no row has been since.
        self._is_late = False
        self._rows_written = 0
        self._groups_written = 0

    # --- from the event loop ------------------------------------------------------------------

    def check_room(self) -> None:
        """Call it before admitting a request. Raises `LedgerUnavailable` when its row could not be
        kept. Running requests may always queue theirs, so memory is bounded by LEDGER_QUEUE_ROWS
        and the requests in flight."""
        if not self._takes_rows:
            raise LedgerUnavailable("The ledger does not run, so requests cannot be recorded.")
        if self._queue.is_full or self._is_late:
            raise LedgerFull(
                "The database has been unreachable for too long and no more requests can be "
                "recorded now. Please try again later."
            )

    def put(
        self,
        row: LedgerRow,
        loop: asyncio.AbstractEventLoop,
        held: Held = None,
    ) -> "asyncio.Future[None]":
        """Queue a row. The future resolves on `loop`, the running one, after the commit, which also
        releases what the request held."""
        future: asyncio.Future[None] = loop.create_future()
        self._put_row(Waiting(future, row=row), held)
        return future

    def put_nowait(self, row: LedgerRow, held: Held = None) -> None:
        """Queue a row that nobody waits for. Needs no event loop."""
        self._put_row(Waiting(row=row), held)

    def _put_row(self, waiting: Waiting, held: Held) -> None:
        if isinstance(held, Part):
            self.shares.settle(held, waiting)
        else:
            waiting.released = held
        self._queue.put(waiting)

    def written(self) -> "asyncio.Future[None]":
        """Resolves when every row that is queued now is committed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(Waiting(future))
        return future

    def claim(self, claim: Claim) -> "asyncio.Future[Decision]":
        """Queue a claim. The future resolves to None once exactly the claim is reserved, to a
        `Granted` for a claim with a wish, or to the `Shortfall` for which nothing is reserved.
        """
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._queue.put_claim(claim.id, Waiting(future, claim=claim))
        return future

    def release(self, held: uuid.UUID | Part) -> None:
        """Release what a request holds that leaves no row, if anything."""
        if isinstance(held, Part):
            self.shares.give_back(held)
        else:
            self._queue.release(held)

    def count_refusal(self, place: Place, names: Names, kind: str) -> None:
        """`kind` is one of `totals.REFUSED`. Nobody waits for it. Memory is bounded by the number
        of keys."""
        self._queue.count_refusal(place, names, kind)

    def fail_late(self, waited_s: float) -> None:
        """Fails the futures of rows that have waited for longer, with `NotRecordedInTime`. The rows
        stay queued and are written once the database can be reached. Call it from a timer: the
        ledger's own thread may be waiting for a lock."""
        began_by = time.monotonic() - waited_s
        current = (
            one for one in self._current_group if one.claim is None and one.queued_at <= began_by
        )
        late = [one for one in (*current, *self._queue.older(began_by)) if one.future is not None]
        if late:
            self._is_late = True
            resolve_futures(
                late, lambda: NotRecordedInTime(f"A row has waited for {waited_s:g} s.")
            )

    def health(self) -> LedgerHealth:
        oldest = next(iter(self._current_group), None) or self._queue.oldest()
        return LedgerHealth(
            running=self._thread is not None and self._thread.is_alive(),
            depth=self._queue.rows_waiting,
            full=self._queue.is_full,
            oldest_age_s=0.0 if oldest is None else time.monotonic() - oldest.queued_at,
            last_error=self._last_error,
            degraded_since=self._degraded_since,
            rows_written=self._rows_written,
            groups_written=self._groups_written,
        )

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        # The object may have been made before a fork.
        self._mark.renew_after_fork()
        self._queue.stopping.clear()
        self._takes_rows = True
        self._give_up_at = None
        self._leases.begin()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Write what is queued, then stop. False if rows are left after `timeout_s`."""
        if self._thread is None:
            return self._queue.rows_waiting == 0
        self._give_up_at = time.monotonic() + timeout_s
        self._takes_rows = False
        self._queue.stop()
        self._thread.join(timeout_s + 0.5)
        left = self._queue.rows_waiting
        if left:
            logger.error("The ledger stopped with %d rows not written.", left)
        return left == 0

    # --- on the ledger's thread ---------------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                # The group that an earlier stop had to give up comes first, unchanged.
                group = self._current_group or self._queue.next_group(self._chores.due_at())
                if group:
                    self._current_group = group
                    if not self._write_until_in(group):
                        return
                    self._current_group = ()
                elif self._queue.stopping.is_set():
                    return
                self._chores.do()
        finally:
            self._takes_rows = False
            self._connection.close()

    def _write_until_in(self, group: Sequence[Waiting]) -> bool:
        """False when the ledger was stopped and the database was not reachable in time."""
        group = self._without_unreadable(group)
        wait_s = FIRST_RETRY_S
        while True:
            try:
                self._write(group)
            except (DataError, IntegrityError) as error:
                # A statement failed, so nothing of this group is committed: find the row at fault.
                if len(group) > 1:
                    return all(self._write_until_in([waiting]) for waiting in group)
                self._refuse(group[0], error)
                return True
            except Exception as error:
                # Whatever it is, these rows must not be lost: keep them, report it, try again.
                self._note_failure(error)
                self._connection.drop()
                for waiting in group:
                    waiting.tried = True
                if not self._pause(wait_s):
                    return False
                wait_s = min(wait_s * 2, LONGEST_RETRY_S)
            else:
                self._note_success(group)
                resolve_futures(group)
                return True

    def _write(self, group: list[Waiting]) -> None:
        """When it returns, the group is committed."""
        self._groups.write(group)

    def _pause(self, wait_s: float) -> bool:
        """Wait before the next try; False when the time limit of `stop` is over."""
        self._queue.stopping.wait(wait_s)
        if self._give_up_at is None:
            return True
        if time.monotonic() >= self._give_up_at:
            return False
        time.sleep(FIRST_RETRY_S)
        return True

    def _without_unreadable(self, group: Sequence[Waiting]) -> list[Waiting]:
        """Refuses rows that cannot be converted into values, and returns the rest."""
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

    def _refuse(self, waiting: Waiting, error: Exception) -> None:
        request_id = waiting.row.request_id if waiting.row else ""
        self._queue.rows_done(waiting.row is not None)
        if waiting.row is not None:
            # Still release what the request had reserved.
            if waiting.released is not None:
                self._queue.release(waiting.released)
            if waiting.unshared is not None:
                self._queue.put(Waiting(unshared=waiting.unshared))
        self._last_error = type(error).__name__
        logger.error("The ledger cannot store the row of %s: %s", request_id, engine_words(error))
        resolve_futures([waiting], lambda: RowRefused("The request's row cannot be stored."))

    def _note_failure(self, error: Exception) -> None:
        self._last_error = public_words(error)
        self._leases.note_unreachable()
        if self._degraded_since is None:
            self._degraded_since = time.time()
            logger.error(
                "The ledger cannot write (%s); %d rows wait in memory.",
                engine_words(error),
                self._queue.rows_waiting,
            )

    def _note_success(self, group: list[Waiting]) -> None:
        rows, is_durable = 0, False
        for waiting in group:
            if waiting.row is not None:
                rows += 1
            is_durable = is_durable or waiting.is_durable
        self._mark.groups_in += is_durable
        self._rows_written += rows
        self._queue.rows_done(rows)
        self._groups_written += 1
        self._is_late = False
        self._leases.note_written(group)
        if self._degraded_since is not None:
            logger.warning(
                "The ledger writes again after %.1f s.", time.time() - self._degraded_since
            )
            self._degraded_since = None


# The writer of this process. It runs only between `start` and `stop`.
ledger = LedgerWriter()
