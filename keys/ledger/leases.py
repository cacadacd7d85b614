"""The leases of this process's reservations, and since when the database is unreachable.

While the database is unreachable no worker can extend a lease. So leases that expired during an
outage still count until all workers have had time to extend theirs.
"""

import time
import uuid
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Final

from keys.ledger import reservations
from keys.ledger.claims import Claim
from keys.ledger.mark import WriterMark
from keys.ledger.transaction import GroupTransaction
from keys.ledger.waiting import Waiting

# After an outage every worker tries again within LONGEST_RETRY_S and then extends its leases. This
# is how long leases that expired during the outage still count.
RETURN_S: Final = 10.0


class Leases:
    def __init__(self, mark: WriterMark, clock: Callable[[], float]) -> None:
        self._mark = mark
        self._clock = clock
        self._held: dict[uuid.UUID, Claim] = {}
        # When the leases are due for extension, by the monotonic clock.
        self.extend_at = 0.0
        # By `clock`: the last answer of the database, and the beginning of an outage. By the
        # monotonic clock: the first answer after it.
        self._answered_at = clock()
        self._unreachable_since: float | None = None
        self._recovered_at: float | None = None

    @property
    def are_held(self) -> bool:
        return bool(self._held)

    def begin(self) -> None:
        """Call it when the ledger starts, which may be after a pause."""
        self._answered_at = self._clock()

    def extend(
        self,
        transaction: GroupTransaction,
        now: datetime,
        *,
        released: Collection[uuid.UUID] = (),
    ) -> None:
        held = [claim for id, claim in self._held.items() if id not in released]
        reservations.extend_leases(held, transaction, writer=self._mark.writer, now=now)

    def note_written(self, group: Iterable[Waiting]) -> None:
        """Hold what a committed group reserved, and no longer what it released."""
        if not self._held:
            self.extend_at = time.monotonic() + reservations.HEARTBEAT_S
        self.note_reachable()
        for waiting in group:
            if waiting.held is not None:
                self._held[waiting.held.id] = waiting.held
            if waiting.released is not None:
                self._held.pop(waiting.released, None)

    def note_unreachable(self) -> None:
        self._recovered_at = None
        if self._unreachable_since is None:
            self._unreachable_since = self._answered_at

    def note_reachable(self) -> None:
        self._answered_at = self._clock()
        if self._unreachable_since is not None and self._recovered_at is None:
            self._recovered_at = time.monotonic()

    def expired_by(self) -> datetime:
        """Leases that expired by this moment do not count: now, or the beginning of an outage,
        during which no worker could extend any."""
        if self._recovered_at is not None and time.monotonic() - self._recovered_at >= RETURN_S:
            self._unreachable_since = self._recovered_at = None
        moment = self._clock() if self._unreachable_since is None else self._unreachable_since
        return datetime.fromtimestamp(moment, UTC)
