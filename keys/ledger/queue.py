"""The queue between the event loop and the ledger's thread, and how groups are formed.

Rows and releases are written in the order of their arrival. Claims are written after all rows that
arrived before them, so that the totals contain what those spent. Refusals are counted here and
written with the next group.
"""

import threading
import time
import uuid
from collections import deque
from itertools import islice, takewhile
from typing import Final

from keys.ledger.captured import TOO_MUCH_WAITED
from keys.ledger.totals import Names, Place
from keys.ledger.waiting import Refusals, Waiting

# A commit costs far more than a row, so under load rows should share commits: after a group of n
# the next group waits until n squared times SPACING_S has passed since that group began. A single
# row after a pause, or after its own reservation, is written at once.
SPACING_S: Final = 0.001
LONGEST_SPACING_S: Final = 0.012
# Refusals are written with the next group of rows, or after this time if there is none: a caller
# who ignores refusals costs at most one commit a second.
REFUSALS_WAIT_S: Final = 1.0
# While more rows than this wait, captured texts are dropped: they take the most memory.
CAPTURED_ROWS: Final = 500


class LedgerQueue:
    """`full_rows` bounds the rows that wait, `group_rows` the rows of one group."""

    def __init__(self, *, full_rows: int, group_rows: int) -> None:
        self._full_rows = full_rows
        self._group_rows = group_rows
        self._queue: deque[Waiting] = deque()
        # Rows that are queued or being written: the bound is on these.
        self.rows_waiting = 0
        # Claims that are not decided yet. A request that gives up removes its own, so during an
        # outage there are no more than waiting requests.
        self._claims: dict[uuid.UUID, Waiting] = {}
        # The lock itself, for the many that put something: the condition's takes two calls more.
        self._lock = threading.RLock()
        self._arrived = threading.Condition(self._lock)
        # Whether the ledger's thread waits to be told of what arrives.
        self._is_idle = False
        self.stopping = threading.Event()
        self._next_group_at = 0.0
        self._refusals: Refusals = {}
        self._refusals_due_at = 0.0

    # --- from the event loop ------------------------------------------------------------------

    def put(self, waiting: Waiting) -> None:
        with self._lock:
            self._queue.append(waiting)
            if waiting.row is not None:
                self.rows_waiting += 1
                if waiting.row.captured is not None and self.rows_waiting > CAPTURED_ROWS:
                    waiting.row.captured = TOO_MUCH_WAITED
            if waiting.released is not None:
                self._claims.pop(waiting.released, None)
            if self._is_idle:
                self._arrived.notify()

    def put_claim(self, id: uuid.UUID, waiting: Waiting, *, wake: bool = True) -> None:
        """Without `wake` it is written with the next group that something else asks for."""
        with self._arrived:
            self._claims[id] = waiting
            if wake:
                self._arrived.notify()

    def release(self, reservation: uuid.UUID) -> None:
        """Release what a claim reserved, or remove the claim if it is not decided yet."""
        with self._arrived:
            if self._claims.pop(reservation, None) is None:
                self._queue.append(Waiting(released=reservation))
                self._arrived.notify()

    def count_refusal(self, place: Place, names: Names, kind: str) -> None:
        what = (place, names, kind)
        with self._arrived:
            if not self._refusals:
                self._refusals_due_at = time.monotonic() + REFUSALS_WAIT_S
                self._arrived.notify()
            self._refusals[what] = self._refusals.get(what, 0) + 1

    def stop(self) -> None:
        """Wake the thread to write what is left and then end."""
        with self._arrived:
            self.stopping.set()
            self._arrived.notify()

    @property
    def is_full(self) -> bool:
        return self.rows_waiting >= self._full_rows

    def oldest(self) -> Waiting | None:
        with self._arrived:
            return self._queue[0] if self._queue else None

    def older(self, than: float) -> list[Waiting]:
        """What was queued by that moment of the monotonic clock, without claims."""
        with self._arrived:
            return list(takewhile(lambda waiting: waiting.queued_at <= than, self._queue))

    # --- on the ledger's thread ---------------------------------------------------------------

    def next_group(self, chore_at: float) -> list[Waiting]:
        """Wait for something to write. Empty when a chore is due, at `chore_at` by the monotonic
        clock, or when the ledger is stopping and everything is written."""
        with self._arrived:
            while not (self._queue or self._claims):
                due_at = min(chore_at, self._refusals_due_at) if self._refusals else chore_at
                due_in_s = due_at - time.monotonic()
                if self.stopping.is_set() or due_in_s <= 0:
                    break
                self._is_idle = True
                self._arrived.wait(due_in_s)
                self._is_idle = False
        early_s = self._next_group_at - time.monotonic()
        if early_s > 0 and 0 < len(self._queue) + len(self._claims) < self._group_rows:
            time.sleep(early_s)
        with self._arrived:
            size = min(len(self._queue), self._group_rows)
            group = [self._queue.popleft() for _ in range(size)]
            if not self._queue:
                ids = list(islice(self._claims, self._group_rows))
                group += [self._claims.pop(each) for each in ids]
            size = len(group)
            due = size or self.stopping.is_set() or self._refusals_due_at <= time.monotonic()
            if self._refusals and due:
                group.append(Waiting(refusals=self._refusals))
                self._refusals = {}
        spacing_s = min(SPACING_S * size * size, LONGEST_SPACING_S)
        self._next_group_at = time.monotonic() + spacing_s
        return group

    def rows_done(self, count: int) -> None:
        with self._arrived:
            self.rows_waiting -= count
