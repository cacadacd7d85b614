"""A ledger that cannot write is told straight from memory: the database may be what is away.

Of all workers of a host one tells it, once an outage; what they share is in `shared_moments.py`.
Hosts agree by Redis, where they share one (`other_hosts.py`).
When the ledger writes again, the alert is put into the list with what came of it, and a channel
that it did not reach by then gets it from there, with the same id.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from django.utils import timezone

from alerts import links
from alerts.channels import configured
from alerts.channels.named import Channel, channels
from alerts.channels.outcome import Outcome
from alerts.delivery import FIRST_WAIT_S
from alerts.findings import CRITICAL, Holder
from alerts.messages import Message
from alerts.other_hosts import OtherHosts
from alerts.shared_moments import SharedOutage, shared_outage
from alerts.store import keep_told

logger = logging.getLogger(__name__)

# A database that fails over is away for so long.
AFTER_S: Final = 10.0
# Two outages with less between them are one.
APART_S: Final = 120.0
# Whoever claimed to tell it and was not heard of for so long has died.
CLAIM_S: Final = 60.0
LONGEST_WAIT_S: Final = 60.0
HOLDER: Final = Holder("gateway", "this gateway")


@dataclass
class _Telling:
    """The alert of this outage, where this worker is who tells it."""

    message: Message
    outcomes: dict[Channel, Outcome] = field(default_factory=dict)
    attempts: int = 0
    next_try_at: float = 0.0

    @property
    def waiting(self) -> list[Channel]:
        return [channel for channel, outcome in self.outcomes.items() if not outcome.arrived]


class OutageTeller:
    """Belongs to the thread that calls it."""

    def __init__(
        self,
        shared: SharedOutage = shared_outage,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._clock = clock
        self._hosts = OtherHosts(shared.host, kept_s=APART_S)
        self._since: float | None = None
        self._telling: _Telling | None = None

    def look(self, problem: str) -> None:
        """`problem`: what keeps the ledger from writing now, in words without a secret; or nothing.
        Needs no database."""
        if not problem:
            self._since = None
            return
        now = self._clock()
        if self._since is None:
            self._since = now
        if now - self._since < AFTER_S:
            return
        is_mine = self._is_mine(now)
        if not is_mine or self._telling is not None:
            self._hosts.keep()
        if not is_mine:
            return
        if self._telling is None:
            if not self._hosts.claim():
                with self._shared.locked() as outage:
                    outage.is_told = True
                return
            self._telling = _Telling(_message(problem))
            nothing = Outcome(False, "")
            self._telling.outcomes = dict.fromkeys(channels(), nothing)
            logger.error("The ledger cannot write (%s): told by alert.", problem)
        if now >= self._telling.next_try_at:
            self._try(self._telling)

    def keep(self, is_over: bool) -> None:
        """Puts what was told into the list once the outage is over. Raises the database's errors,
        and is called again then."""
        telling = self._telling
        if telling is not None and is_over:
            keep_told(
                telling.message,
                telling.outcomes,
                attempts=telling.attempts,
                is_tried_again=True,
                is_state=True,
            )
            self._telling = None

    def _is_mine(self, now: float) -> bool:
        with self._shared.locked() as outage:
            if not outage.seen_at or now - outage.seen_at > APART_S:
                outage.is_told, outage.claimed_at = False, 0.0
            outage.seen_at = now
            is_free = not outage.claimed_at or now - outage.claimed_at > CLAIM_S
            if outage.is_told or not (self._telling is not None or is_free):
                return False
            outage.claimed_at = now
            return True

    def _try(self, telling: _Telling) -> None:
        telling.attempts += 1
        waiting = telling.waiting
        for channel, outcome in zip(waiting, asyncio.run(_sent(telling)), strict=True):
            telling.outcomes[channel] = outcome
        now = self._clock()
        telling.next_try_at = now + min(LONGEST_WAIT_S, FIRST_WAIT_S * telling.attempts)
        with self._shared.locked() as outage:
            outage.claimed_at = now
            outage.is_told = not telling.waiting


async def _sent(telling: _Telling) -> list[Outcome]:
    tries = (configured.send(channel.name, telling.message) for channel in telling.waiting)
    return await asyncio.gather(*tries)


def _message(problem: str) -> Message:
    return Message(
        id=uuid.uuid4(),
        event="ledger",
        severity=CRITICAL,
        text=f"Requests cannot be recorded: {problem}. When too many rows wait in memory, new "
        "requests get 503.",
        holder=HOLDER,
        opened_at=timezone.now(),
        url=links.of_dashboard(),
        figures={"problem": problem},
    )
