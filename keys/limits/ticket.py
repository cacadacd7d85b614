"""The ticket of an admitted request: what the request holds until it is settled.

`Ticket.reserve` is called once model and price are known: it reserves tokens in the counters, and
money and neurons in the database where there is a budget. `Ticket.settle` frees what was taken and
queues the row; its future resolves once the row is committed. A refusal leaves no row, but is
counted.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from keys import errors
from keys.access.key_record import KeyRecord
from keys.ledger.captured import Capture
from keys.ledger.claims import (
    MILLION,
    Amounts,
    Claim,
    Granted,
    Shortfall,
)
from keys.ledger.rows import LedgerRow, fit_text
from keys.ledger.totals import CLIENT_GONE_STATUS
from keys.ledger.windows import utc_day
from keys.ledger.writer import Held, LedgerWriter
from keys.limits import budget_refusals
from keys.limits.claiming import claimed
from keys.limits.counters import Counters, Denial, Hold
from keys.limits.headers import ratelimit_headers
from keys.limits.refusals import REFUSED_COLUMNS, limit_reached, place_of
from keys.models import RequestLog
from keys.request_scopes import BudgetScope, budgets_met, rates_met

LONGEST_USER: Final = RequestLog._meta.get_field("user").max_length or 0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How a request ended. A number that is not known is None, not 0."""

    status: int
    end_reason: str
    error_code: str = ""
    error_message: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    images: int | None = None
    audio_ms: int | None = None
    cost_nano_usd: int | None = None
    neurons_micro: int | None = None
    neurons_source: str = "none"
    neurons_by_price_micro: int | None = None
    usage_source: str = "none"
    price: str | None = None
    ttft_ms: int | None = None
    attempts: int = 0


class Ticket:
    """An admitted request. The public attributes are written into its row as they are when it is
    settled: the view sets them as it learns them."""

    __slots__ = (
        "_began",
        "_counters",
        "_future",
        "_hold",
        "_later",
        "_ledger",
        "_met",
        "_reservation",
        "_settled",
        "account",
        "agent",
        "capture",
        "client_ip",
        "endpoint",
        "key",
        "loop",
        "model",
        "on_row",
        "request_id",
        "requested_model",
        "session",
        "started_at",
        "stream",
        "user",
        "user_agent",
        "waited_ms",
    )

    def __init__(
        self,
        key: KeyRecord,
        *,
        endpoint: str,
        request_id: str,
        client_ip: str,
        user_agent: str,
        started_at: float,
        hold: Hold | None,
        counters: Counters,
        ledger: LedgerWriter,
    ) -> None:
        self.key = key
        self.endpoint = endpoint
        self.request_id = request_id
        self.client_ip = client_ip
        self.user_agent = user_agent
        self.started_at = started_at
        self.requested_model = ""
        self.model = ""
        self.stream = False
        self.user = ""
        self.session = ""
        self.agent = ""
        # Of several Cloudflare accounts, the one that is asked.
        self.account = ""
        # In the line for the account's rate, in all its calls.
        self.waited_ms: int | None = None
        # Told the row when it is settled.
        self.on_row: Callable[[LedgerRow], None] | None = None
        self.capture = Capture() if key.captures else None
        self._began = time.perf_counter()
        self._hold = hold
        # Taken of limits on the model or the person, where it is not in `_hold`.
        self._later: Hold | None = None
        self._counters = counters
        self._ledger = ledger
        self._reservation: Held = None
        # Whose budgets this person meets with this model, once somebody has asked.
        self._met: tuple[str, str, tuple[BudgetScope, ...]] = ("", "", ())
        self._settled = False
        self._future: asyncio.Future[None] | None = None
        self.loop = asyncio.get_running_loop()

    def elapsed_ms(self) -> int:
        return round((time.perf_counter() - self._began) * 1000)

    def budgets(self, model: str) -> tuple[BudgetScope, ...]:
        """Whose budgets the request meets with this model. Set `user` first."""
        scopes = self.key.budget_scopes
        if self.key.meets_all_budgets:
            return scopes
        met = self._met
        if met[0] != model or met[1] is not self.user or not met[2]:
            met = self._met = model, self.user, budgets_met(scopes, model, self._person)
        return met[2]

    @property
    def _person(self) -> str:
        """`user` as it is stored."""
        user = self.user
        return user if user.isascii() and user.isprintable() else fit_text(user, LONGEST_USER)

    async def reserve(
        self,
        *,
        tokens: int,
        cost_nano_usd: int | None,
        neurons_micro: int | None,
        wished_cost_nano_usd: int | None = None,
        wished_neurons_micro: int | None = None,
        wished_tokens: int | None = None,
        model: str | None = None,
        again: bool = False,
    ) -> int:
        """Reserve an upper estimate before upstream is called, and take a request and a slot of the
        limits on `model`, by default the ticket's, and on the person behind the key. An unknown
        cost is None. Raises `LimitReached`, `BudgetUsedUp` or `LedgerUnavailable`; the ticket is
        then withdrawn and leaves no row. With `again`, this replaces what was reserved before for
        another model, and a refusal leaves the ticket as it is: with nothing reserved of a budget.

        A request that could use more than it needs passes what it wishes. Returns how many
        millionths of the difference are reserved as well: all of it where nothing is limited.

        Budgets and row belong to the UTC day on which the request began.
        """
        model = self.model if model is None else model
        if again and self._reservation is not None:
            # Written before the claim that follows.
            self._ledger.release(self._reservation)
            self._reservation = None
        if self.key.later_rate_scopes:
            await self._take_more(model, tokens, again=again)
        elif self._hold is not None and not again:
            denial = await self._hold.reserve_tokens(tokens)
            if denial is not None:
                raise self._refused(denial)
        budgets = self.budgets(model)
        if not budgets:
            return MILLION
        day, person = utc_day(self.started_at), self._person
        if cost_nano_usd is not None and neurons_micro is not None:
            amounts = Amounts(
                cost_nano_usd if wished_cost_nano_usd is None else wished_cost_nano_usd,
                neurons_micro if wished_neurons_micro is None else wished_neurons_micro,
                1,
                tokens if wished_tokens is None else wished_tokens,
            )
            shares = self._ledger.shares
            part = shares.take(self.loop, self.key, model, person, day, amounts)
            if part is not None:
                self._reservation = part
                return MILLION
        claim = Claim(
            # Not a secret. `uuid4` makes a system call, which gives the GIL to the ledger's thread.
            id=uuid.UUID(int=random.getrandbits(128)),
            scopes=budgets,
            key_id=self.key.id,
            owner_id=self.key.owner_id,
            day=day,
            cost_nano_usd=cost_nano_usd,
            neurons_micro=neurons_micro,
            tokens=tokens,
            wished_cost_nano_usd=wished_cost_nano_usd,
            wished_neurons_micro=wished_neurons_micro,
            wished_tokens=wished_tokens,
            model=model,
            team_id=self.key.team_id,
            user=person,
        )
        return await self._claimed(claim, again=again)

    async def _take_more(self, model: str, tokens: int, *, again: bool) -> None:
        more = rates_met(self.key.later_rate_scopes, model, self._person)
        if again:
            self._give_back_later()
        denial = None
        if self._hold is not None and not again:
            denial = await self._hold.reserve_tokens(tokens, more)
        elif more:
            taken = await self._counters.take(more, tokens)
            if isinstance(taken, Denial):
                denial = taken
            else:
                self._later = taken
        if denial is not None:
            raise limit_reached(denial, time.time()) if again else self._refused(denial)

    def _refused(self, denial: Denial) -> Exception:
        """Ends the ticket of a request that a limit refuses, which leaves no row."""
        self._settled = True
        if self._hold is not None:
            self._hold.give_back()
        self._count_refusal(REFUSED_COLUMNS[denial.limit])
        return limit_reached(denial, time.time())

    def _give_back_later(self) -> None:
        """What was taken of the limits on a model that does not answer."""
        if self._hold is not None:
            self._hold.give_back_more()
        if self._later is not None:
            self._later.give_back()
            self._later = None

    async def _claimed(self, claim: Claim, *, again: bool) -> int:
        # Set before the decision: a request that is cancelled meanwhile releases it.
        self._reservation = claim.id
        try:
            decision = await claimed(claim, self.key, self._ledger)
        except (errors.LedgerUnavailable, errors.RowRefused):
            self.withdraw()
            raise
        if isinstance(decision, Shortfall):
            if again:
                self._reservation = None
            else:
                self.withdraw()
                self._count_refusal(f"refused_{decision.budget.subject.what}")
                budget_refusals.note(decision, claim.day)
            raise decision.error(claim.day)
        return decision.millionths if isinstance(decision, Granted) else MILLION

    def _count_refusal(self, kind: str) -> None:
        place, names = place_of(self.key, self.endpoint, self.model, self.started_at)
        self._ledger.count_refusal(place, names, kind)

    def withdraw(self) -> None:
        """Release everything without a row, for a refusal after admission."""
        if not self._settled:
            self._settled = True
            self._release(0)
            if self._reservation is not None:
                self._ledger.release(self._reservation)

    def settle(self, outcome: Outcome) -> "asyncio.Future[None]":
        """Free the slot, queue the row, and return a future that resolves once it is committed.
        Only the first call has an effect; later calls, with any outcome, wait for the same row.

        For one caller at a time. Cancelling the future does not stop the row from being written.
        """
        # First, since it raises where no loop runs, and the ticket must then stay unsettled. Asked
        # for only where it is not the one that admitted the request: that is a system call.
        loop = self.loop if self.loop.is_running() else asyncio.get_running_loop()
        if not self._settled:
            row = self._settled_row(outcome)
            self._future = self._ledger.put(row, loop, self._reservation)
        if self._future is None or self._future.cancelled():
            self._future = self._ledger.written()
        return self._future

    def settle_nowait(self, outcome: Outcome) -> None:
        """Like `settle` when nobody can wait: the client is gone, or there is no event loop."""
        if not self._settled:
            self._ledger.put_nowait(self._settled_row(outcome), self._reservation)

    @property
    def is_settled(self) -> bool:
        return self._settled

    def headers(self) -> list[tuple[bytes, bytes]]:
        hold = self._hold or self._later
        return [] if hold is None else ratelimit_headers(hold)

    def _settled_row(self, outcome: Outcome) -> LedgerRow:
        self._settled = True
        self._release((outcome.prompt_tokens or 0) + (outcome.completion_tokens or 0))
        key = self.key
        # All fields one by one: to pass so many by their names takes five times as long.
        row = LedgerRow.__new__(LedgerRow)
        row.started_at = self.started_at
        row.request_id = self.request_id
        row.key_id = key.id
        row.key_name = key.name
        row.key_prefix = key.prefix
        row.owner_id = key.owner_id
        row.owner_name = key.owner_name
        row.endpoint = self.endpoint
        row.requested_model = self.requested_model
        row.model = self.model
        row.stream = self.stream
        row.status = outcome.status
        row.error_code = outcome.error_code
        row.error_message = outcome.error_message
        row.finish_reason = outcome.finish_reason
        row.end_reason = outcome.end_reason
        row.prompt_tokens = outcome.prompt_tokens
        row.completion_tokens = outcome.completion_tokens
        row.cached_tokens = outcome.cached_tokens
        row.reasoning_tokens = outcome.reasoning_tokens
        row.images = outcome.images
        row.audio_ms = outcome.audio_ms
        row.cost_nano_usd = outcome.cost_nano_usd
        row.neurons_micro = outcome.neurons_micro
        row.neurons_source = outcome.neurons_source
        row.neurons_by_price_micro = outcome.neurons_by_price_micro
        row.usage_source = outcome.usage_source
        row.price = outcome.price
        row.ttft_ms = outcome.ttft_ms
        row.duration_ms = self.elapsed_ms()
        row.attempts = outcome.attempts
        row.client_ip = self.client_ip
        row.user_agent = self.user_agent
        row.user = self.user
        row.team_id = key.team_id
        row.team_name = key.team_name
        row.session = self.session
        row.agent = self.agent
        row.account = self.account
        row.waited_ms = self.waited_ms
        row.captured = None if self.capture is None else self.capture.texts()
        if self.on_row is not None:
            self.on_row(row)
        return row

    def _release(self, used_tokens: int) -> None:
        for hold in (self._hold, self._later):
            if hold is not None:
                hold.release(used_tokens)

    def __del__(self) -> None:
        """A stream whose generator never started runs no `finally`, so its ticket is settled here.
        On the loop, since garbage collection may run on any thread."""
        if getattr(self, "_settled", True):
            return
        outcome = Outcome(status=CLIENT_GONE_STATUS, end_reason="client_gone")
        if self.loop.is_closed():
            self.settle_nowait(outcome)
        else:
            self.loop.call_soon_threadsafe(self.settle_nowait, outcome)
