"""Shares of budgets: room that a busy key's requests take without asking the database each time.

Once a key makes many requests of one kind (one model, one person), its worker reserves the
estimates of several at once, as one row of `Reservation` with `share_until`. Requests then take
their part of it in memory; what a part was for is booked, and the part leaves the share, in the
transaction of the request's row.

Limits stay exact. All of a share counts as reserved, so nobody can spend it twice; it is made only
where a budget has far more left; and nobody is refused for the sake of what is idle in one: who
falls short has the shares of this worker closed, and waits until those of others have ended, which
live for LIFE_S and are renewed only while there is plenty.

Everything here runs on the event loop that the share's requests run on.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from keys.access.key_record import KeyRecord
from keys.ledger.claims import (
    MILLION,
    SHARE_LIFE_S,
    Amounts,
    Claim,
    Decision,
    Shared,
    Shortfall,
)
from keys.ledger.queue import LedgerQueue
from keys.ledger.waiting import Waiting

# So many claims of one kind within a second make a share worth while.
BUSY_CLAIMS: Final = 8
BUSY_S: Final = 1.0
# Requests that a share is for: twice as many as the last one's each time that it is used up soon.
FIRST_SIZE: Final = 8
LARGEST_SIZE: Final = 256
SOON_S: Final = 0.5
MOST_KINDS: Final = 10_000
# While shares of others are about to end, or this worker's are being given back.
LOOK_EVERY_S: Final = 0.05

# Whose requests share: the loop that they run on, the key, the model, and the person behind it.
Kind = tuple[asyncio.AbstractEventLoop, int, str, str]


class Share:
    """What is left of one share, and how many running requests have taken a part of it."""

    __slots__ = ("claim", "demand", "is_closed", "key", "left", "made_at", "running", "timer")

    def __init__(self, claim: Claim, key: KeyRecord, demand: "_Demand", made_at: float) -> None:
        # As it was reserved: with the amounts of all of its requests.
        self.claim = claim
        self.key = key
        self.demand = demand
        self.made_at = made_at
        self.left = claim.set_aside
        self.running = 0
        self.is_closed = False
        self.timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Part:
    """What one request has taken of a share, until its row is booked."""

    share: Share
    amounts: Amounts


class _Demand:
    """The requests of one kind: how many claims they made lately, and the share that they take
    from.
    """

    __slots__ = ("claims", "is_asking", "not_before", "share", "since", "size")

    def __init__(self, now: float) -> None:
        self.share: Share | None = None
        self.is_asking = False
        self.claims = 0
        self.since = now
        self.size = FIRST_SIZE
        # A share was refused: there is too little left for one.
        self.not_before = 0.0


class Shares:
    """The shares of one process."""

    def __init__(self, queue: LedgerQueue, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._monotonic = monotonic
        self._demands: dict[Kind, _Demand] = {}
        self._may_open = True

    def take(
        self,
        loop: asyncio.AbstractEventLoop,
        key: KeyRecord,
        model: str,
        user: str,
        day: date,
        amounts: Amounts,
    ) -> Part | None:
        """A part for a request that began on `day` and uses at most `amounts`; None where it has
        to claim them itself.
        """
        kind = (loop, key.id, model, user)
        demand = self._demands.get(kind)
        if demand is None or demand.share is None:
            return None
        share, now = demand.share, self._monotonic()
        age_s = now - share.made_at
        if age_s >= SHARE_LIFE_S or share.key is not key or share.claim.day != day:
            self._close(share)
            return None
        left = share.left.minus(amounts)
        if left is None:
            return None
        share.left = left
        share.running += 1
        is_low = left.requests * 2 < share.claim.requests
        is_due = is_low or age_s * 2 > SHARE_LIFE_S
        if is_due and not demand.is_asking and now >= demand.not_before:
            if not is_low:
                demand.size = max(share.claim.requests // 2, FIRST_SIZE)
            elif age_s < SOON_S:
                demand.size = min(share.claim.requests * 2, LARGEST_SIZE)
            self._ask(demand, kind, share.claim, key, amounts)
        return Part(share, amounts)

    def note_claim(self, loop: asyncio.AbstractEventLoop, key: KeyRecord, claim: Claim) -> None:
        """A request has claimed for itself what it uses. After many, a share is asked for."""
        if claim.cost_nano_usd is None or claim.neurons_micro is None:
            return  # Of a model without a price nothing is set aside, so there is nothing to share.
        kind, now = (loop, key.id, claim.model, claim.user), self._monotonic()
        demand = self._demands.get(kind)
        if demand is None:
            if len(self._demands) >= MOST_KINDS:
                self._forget_idle()
            demand = self._demands[kind] = _Demand(now)
        if now - demand.since >= BUSY_S:
            demand.since, demand.claims = now, 0
        demand.claims += 1
        is_busy = demand.share is not None or demand.claims >= BUSY_CLAIMS
        if is_busy and self._may_open and not demand.is_asking and now >= demand.not_before:
            self._ask(demand, kind, claim, key, claim.with_part_of_wish(MILLION).set_aside)

    def settle(self, part: Part, waiting: Waiting) -> None:
        """The request of a part has ended: what is going to be written takes the part out of the
        share, and the share away with its last one.
        """
        share = part.share
        share.running -= 1
        if share.running == share.left.requests == 0:
            self._end(share)
            waiting.released = share.claim.id
        else:
            waiting.unshared = share.claim.id, part.amounts

    def give_back(self, part: Part) -> None:
        """The request of a part was withdrawn, and has no row."""
        share = part.share
        if share.is_closed:
            waiting = Waiting()
            self.settle(part, waiting)
            self._queue.put(waiting)
        else:
            share.running -= 1
            share.left = share.left.plus(part.amounts)

    def make_room(self, loop: asyncio.AbstractEventLoop, short: Shortfall) -> float:
        """Let a budget that is too short for a claim have what is idle in shares, if that can be
        enough: those of this worker are closed, those of others end soon. Returns after how many
        seconds to claim again; a negative number where it would be of no use.
        """
        if short.shared < short.lacks:
            return -1.0
        found = [
            demand.share
            for (of_loop, *_), demand in self._demands.items()
            if of_loop is loop and demand.share is not None and short.counts(demand.share.claim)
        ]
        for share in found:
            self._close(share)
        return 0.0 if found else min(short.shared_for_s, LOOK_EVERY_S)

    def close_all(self) -> None:
        """Give back what no request has taken, and make no more. For the end of the process."""
        self._may_open = False
        for demand in self._demands.values():
            if demand.share is not None:
                self._close(demand.share)

    def _ask(
        self, demand: _Demand, kind: Kind, like: Claim, key: KeyRecord, amounts: Amounts
    ) -> None:
        """Ask for a share for requests of these amounts. What was asked for before it remains."""
        claim = replace(
            like,
            # Not a secret, as the ids of other claims.
            id=uuid.UUID(int=random.getrandbits(128)),
            cost_nano_usd=amounts.usd,
            neurons_micro=amounts.neurons,
            tokens=amounts.tokens,
            wished_cost_nano_usd=None,
            wished_neurons_micro=None,
            wished_tokens=None,
            requests=1,
            shared_by=demand.size,
        )
        demand.is_asking = True
        future: asyncio.Future[Decision] = kind[0].create_future()
        asked_at = self._monotonic()

        def decided(done: "asyncio.Future[Decision]") -> None:
            demand.is_asking = False
            decision = None if done.cancelled() or done.exception() else done.result()
            if not isinstance(decision, Shared):
                demand.not_before = self._monotonic() + SHARE_LIFE_S
                return
            self._open(kind[0], Share(claim.times(decision.requests), key, demand, asked_at))

        future.add_done_callback(decided)
        # So that an outage leaves nothing to decide for later.
        timer = kind[0].call_later(SHARE_LIFE_S, self._give_up, claim.id, future)
        future.add_done_callback(lambda _: timer.cancel())
        # With the next group of rows: those who need it now have not waited for it.
        self._queue.put_claim(claim.id, Waiting(future, claim=claim), wake=False)

    def _open(self, loop: asyncio.AbstractEventLoop, share: Share) -> None:
        if share.demand.share is not None:
            self._close(share.demand.share)
        if not self._may_open:
            self._close(share)
            return
        share.demand.share = share
        # It ends in time even where nobody takes from it, counted from before it was decided.
        age_s = self._monotonic() - share.made_at
        share.timer = loop.call_later(max(0.0, SHARE_LIFE_S - age_s), self._close, share)

    def _give_up(self, id: uuid.UUID, decided: "asyncio.Future[Decision]") -> None:
        if not decided.done():
            decided.cancel()
            self._queue.release(id)

    def _close(self, share: Share) -> None:
        if share.is_closed:
            return
        self._end(share)
        if share.running:
            self._queue.put(Waiting(unshared=(share.claim.id, share.left), ends_share=True))
        else:
            self._queue.put(Waiting(released=share.claim.id))
        share.left = Amounts()

    def _end(self, share: Share) -> None:
        """Let nobody take from it any more."""
        share.is_closed = True
        if share.timer is not None:
            share.timer.cancel()
        if share.demand.share is share:
            share.demand.share = None

    def _forget_idle(self) -> None:
        self._demands = {
            kind: demand
            for kind, demand in self._demands.items()
            if demand.share is not None or demand.is_asking
        }
