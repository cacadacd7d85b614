"""The leases of what this process has reserved, and since when the database is away.

While the database is away nobody can extend a lease. So leases that ended during an outage go on
counting until all workers have had the time to extend theirs.
"""

import time
import uuid
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Final

from keys.ledger import reservations
from keys.ledger.claims import Claim, Shortfall
from keys.ledger.mark import WriterMark
from keys.ledger.transaction import GroupTransaction
from keys.ledger.waiting import Waiting

# After an outage every worker tries again within LONGEST_RETRY_S and then extends its
# leases; until all have had the time, the leases that ended meanwhile go on counting.
RETURN_S: Final = 10.0


class Leases:
    def __init__(self, mark: WriterMark, clock: Callable[[], float]) -> None:
        self._mark = mark
        self._clock = clock
        self._held: dict[uuid.UUID, Claim] = {}
        # By the monotonic clock.
        self.extend_at = 0.0
        # When the database answered last and since when it does not, by the clock; its return.
        self._answered_at = clock()
        self._away_since: float | None = None
        self._back_at: float | None = None

    @property
    def are_held(self) -> bool:
        return bool(self._held)

    def begin(self) -> None:
        """The ledger starts, perhaps after a rest."""
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
        """Take over what a group reserved and let go what it released."""
        if not self._held:
            self.extend_at = time.monotonic() + reservations.HEARTBEAT_S
        self.note_back()
        for waiting in group:
            if waiting.claim is not None and not isinstance(waiting.decision, Shortfall):
                self._held[waiting.claim.id] = waiting.claim
            if waiting.released is not None:
                self._held.pop(waiting.released, None)

    def note_away(self) -> None:
        self._back_at = None
        if self._away_since is None:
            self._away_since = self._answered_at

    def note_back(self) -> None:
        self._answered_at = self._clock()
        if self._away_since is not None and self._back_at is None:
            self._back_at = time.monotonic()

    def lapsed_by(self) -> datetime:
        """Leases that ended by then are over: now, or the beginning of an outage through which
        nobody could extend any."""
        if self._back_at is not None and time.monotonic() - self._back_at >= RETURN_S:
            self._away_since = self._back_at = None
        moment = self._clock() if self._away_since is None else self._away_since
        return datetime.fromtimestamp(moment, UTC)
