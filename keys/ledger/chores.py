"""The periodic work of the ledger's thread: extend the leases of this worker's reservations, delete
abandoned reservations, sum up a past month."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from keys.ledger import month_totals, reservations
from keys.ledger.connection import LONGEST_RETRY_S, LedgerConnection
from keys.ledger.engine import group_transaction
from keys.ledger.leases import Leases
from storage.words import engine_words

logger = logging.getLogger(__name__)

SWEEP_EVERY_S: Final = 60.0


class Chores:
    def __init__(
        self, leases: Leases, connection: LedgerConnection, clock: Callable[[], float]
    ) -> None:
        self._leases = leases
        self._connection = connection
        self._clock = clock
        self._sweep_at = 0.0

    def due_at(self) -> float:
        """When the next chore is due, by the monotonic clock."""
        if self._leases.are_held:
            return min(self._sweep_at, self._leases.extend_at)
        return self._sweep_at

    def do(self) -> None:
        """Do the chores that are due. Raises nothing."""
        now = time.monotonic()
        is_beat = self._leases.are_held and now >= self._leases.extend_at
        is_sweep = now >= self._sweep_at
        if not (is_beat or is_sweep):
            return
        moment = datetime.fromtimestamp(self._clock(), UTC)
        self._leases.extend_at = now + reservations.HEARTBEAT_S
        self._sweep_at = now + SWEEP_EVERY_S
        try:
            self._connection.prepare()
            if is_beat:
                with group_transaction() as transaction:
                    self._leases.extend(transaction, moment)
            if is_sweep:
                reservations.sweep(self._leases.expired_by())
                month_totals.make_next(moment.date())
        except Exception as error:
            # The next group reports the failure; a lease outlasts three missed extensions.
            logger.debug("The ledger's chores failed: %s", engine_words(error))
            self._leases.note_unreachable()
            self._connection.drop()
            self._leases.extend_at = now + LONGEST_RETRY_S
        else:
            self._leases.note_reachable()
