"""Before a request goes upstream it waits for its turn, where the account's rate is used up.

Who waits holds no thread, no database connection and no connection to upstream. Its own time limit
is ACCOUNT_QUEUE_WAIT over all its calls; a client that leaves takes its request out of the line.
"""

from typing import Final

from django.conf import settings

from catalog import paces
from catalog.snapshot import ModelRecord
from keys.access.key_index import index
from keys.access.key_record import KeyRecord
from keys.limits.ticket import Ticket
from keys.sharing.lanes import TurnMissed
from keys.sharing.line import Asker
from keys.sharing.process_lanes import lanes
from openai_api.errors import KeyStoppedError, StoppingError
from workers_ai.errors import RateReached, RateTaken

# Read once: asking the settings is a call.
WAIT_S: Final = float(settings.ACCOUNT_QUEUE_WAIT)
# With another model at hand a request does not stand in line for long.
WAIT_BESIDE_STANDBY_S: Final = 5.0
# Nor at one account while another can be asked.
WAIT_IN_PASSING_S: Final = 0.25


class Turns:
    """Those of one request to one model."""

    __slots__ = (
        "_key",
        "_limit_s",
        "_out",
        "_refused_by",
        "_ticket",
        "in_line",
        "model",
        "passing",
    )

    def __init__(
        self, key: KeyRecord, ticket: Ticket, model: ModelRecord, *, others_stand_by: bool
    ) -> None:
        self._key = key
        self._ticket = ticket
        self.model = model
        self.in_line = 0
        # Calls that upstream was sent and did not refuse for its rate.
        self._out = 0
        # The account that refused a call for its rate.
        self._refused_by: str | None = None
        # Whether another account is asked rather than waited for this one.
        self.passing = False
        self._limit_s = min(WAIT_S, WAIT_BESIDE_STANDBY_S) if others_stand_by else WAIT_S

    @property
    def nothing_sent(self) -> bool:
        """Whether all calls so far wait, so that upstream knows of none."""
        return self.in_line > 0 and self._out == 0

    def may_go(self) -> bool:
        """Whether the next call needs no turn; it counts as sent."""
        if self._is_limited():
            return False
        self._out += 1
        return True

    def _is_limited(self) -> bool:
        return self._limit_s > 0 and paces.pace_of(self.model, self._ticket.account) is not None

    async def take(self) -> None:
        """Waits for a turn. Raises RateTaken where none comes in time."""
        ticket = self._ticket
        pace = paces.pace_of(self.model, ticket.account)
        if pace is None:
            self._out += 1
            return
        self.in_line += 1
        asker = Asker(str(self._key.id), self._key.queue_weight, ticket.user)
        lane = lanes.lane(pace.lane, pace.per_minute, full_at_first=pace.learnt)
        left_s = max(0.0, self._limit_s - (ticket.waited_ms or 0) / 1000)
        if self.passing:
            left_s = min(left_s, WAIT_IN_PASSING_S)
        try:
            waited_s = await lane.take(asker, wait_s=left_s, look=self._look)
        except TurnMissed as missed:
            self.in_line -= 1
            self._note(missed.waited_s)
            raise RateTaken(
                f"The account's {missed.per_minute} requests a minute for {missed.lane} are taken, "
                f"and no turn came within {missed.waited_s:.0f} s.",
                status=429,
                retry_after_s=missed.retry_after_s,
            ) from None
        # Not where the client left meanwhile: it was in the line to its end.
        self.in_line -= 1
        self._out += 1
        self._note(waited_s)
        if waited_s:
            self._look()

    def _look(self) -> None:
        """While it waits, a request's key may end, and the worker."""
        if lanes.is_stopping:
            raise StoppingError
        if not index.is_live(self._key.id):
            raise KeyStoppedError("The API key is no longer in force.")

    def refused(self, error: RateReached) -> bool:
        """Learns that upstream's rate is used up; whether the call has to wait for a turn."""
        self._out -= 1
        account = self._ticket.account
        if self._limit_s > 0 and self._refused_by != account:
            paces.refused(self.model, error.message, account)
            self._refused_by = account
        return self._is_limited()

    def _note(self, waited_s: float) -> None:
        waited_ms = round(waited_s * 1000)
        if waited_ms:
            self._ticket.waited_ms = (self._ticket.waited_ms or 0) + waited_ms
