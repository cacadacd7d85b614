"""Step two: may this key do this now? A ticket comes out, to be settled once by its last holder.

`admit` looks at networks, endpoints, rates and slots, of the key and of its owner, and takes what
it needs. It raises `NotPermitted`, `LimitReached` or `LedgerUnavailable` of `errors.py` and then
has taken nothing. `Ticket.reserve` comes when model and price are known: tokens in the counters,
money and neurons in the database, for those that have a budget. `Ticket.settle` frees what was
taken and queues the row; its future says when the row is committed. A refusal leaves no row, but is
counted.
"""

import asyncio
import math
import random
import time
import uuid
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from keys import errors
from keys.access.key_index import KeyRecord
from keys.ledger.captured import Capture
from keys.ledger.claims import Claim, Shortfall
from keys.ledger.rows import LedgerRow
from keys.ledger.totals import Names, Place
from keys.ledger.windows import utc_day
from keys.ledger.writer import LedgerWriter, ledger
from keys.limits.counters import Counters, Denial, Hold, Limit, MemoryCounters


def counters_from_settings() -> Counters:
    if not settings.REDIS_URL:
        return MemoryCounters()
    # Only here: Redis's client takes 10 MiB and a quarter of a second at the start.
    from keys.limits.redis_counters import RedisCounters

    return RedisCounters(settings.REDIS_URL)


# Of this process: every admission on its event loop counts here.
process_counters: Counters = counters_from_settings()

# Nobody told the client anything, nor was there anybody to tell.
CLIENT_GONE_STATUS: Final = 499
CLIENT_GONE: Final = "client_gone"

_OF_REQUESTS: Final = (
    b"x-ratelimit-limit-requests",
    b"x-ratelimit-remaining-requests",
    b"x-ratelimit-reset-requests",
)
_OF_TOKENS: Final = (
    b"x-ratelimit-limit-tokens",
    b"x-ratelimit-remaining-tokens",
    b"x-ratelimit-reset-tokens",
)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How a request ended. What is not known stays None: 0 is a number."""

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
    """An admitted request. The attributes without an underscore go into its row as they stand when
    it is settled: the view fills them in as it learns them."""

    __slots__ = (
        "_began",
        "_future",
        "_hold",
        "_ledger",
        "_loop",
        "_reservation",
        "_settled",
        "capture",
        "client_ip",
        "endpoint",
        "key",
        "model",
        "request_id",
        "requested_model",
        "started_at",
        "stream",
        "user",
        "user_agent",
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
        self.capture = Capture() if key.captures else None
        self._began = time.perf_counter()
        self._hold = hold
        self._ledger = ledger
        self._reservation: uuid.UUID | None = None
        self._settled = False
        self._future: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()

    def elapsed_ms(self) -> int:
        return round((time.perf_counter() - self._began) * 1000)

    async def reserve(
        self, *, tokens: int, cost_nano_usd: int | None, neurons_micro: int | None
    ) -> None:
        """Hold room for an upper estimate, before upstream is called. Raises `LimitReached`,
        `BudgetUsedUp` or `LedgerUnavailable`; the ticket is then withdrawn, and refusals leave no
        row. A cost that nobody knows is None.

        Budgets are those of the UTC day on which the request began, and so is its row.
        """
        if self._hold is not None:
            denial = await self._hold.reserve_tokens(tokens)
            if denial is not None:
                self.withdraw()
                _count_refusal(self, _REFUSED[denial.limit])
                raise _limit_reached(denial, time.time())
        if self.key.budget_scopes:
            decided = self._claim(cost_nano_usd, neurons_micro)
            limit_s = settings.BUDGET_TIMEOUT
            timer = self._loop.call_later(limit_s, _give_up, decided, limit_s)
            try:
                shortfall = await decided
            except (errors.LedgerUnavailable, errors.RowRefused):
                self.withdraw()
                raise
            finally:
                timer.cancel()
            if shortfall is not None:
                self.withdraw()
                _count_refusal(self, f"refused_{shortfall.budget.unit}")
                raise shortfall.error(utc_day(self.started_at))

    def _claim(
        self, cost_nano_usd: int | None, neurons_micro: int | None
    ) -> "asyncio.Future[Shortfall | None]":
        key = self.key
        claim = Claim(
            # No secret, so no system call: that would hand the interpreter to the ledger's thread.
            id=uuid.UUID(int=random.getrandbits(128)),
            scopes=key.budget_scopes,
            key_id=key.id,
            owner_id=key.owner_id,
            day=utc_day(self.started_at),
            cost_nano_usd=cost_nano_usd,
            neurons_micro=neurons_micro,
        )
        # Noted before the answer is in: whoever is cancelled meanwhile gives it back.
        self._reservation = claim.id
        return self._ledger.claim(claim)

    def withdraw(self) -> None:
        """Give everything back without a row, for a refusal after admission."""
        if not self._settled:
            self._settled = True
            self._release(0)
            if self._reservation is not None:
                self._ledger.release(self._reservation)

    def settle(self, outcome: Outcome) -> "asyncio.Future[None]":
        """Free the slot, queue the row, and return what resolves once the row is committed. Only
        the first call counts; later ones, whatever they bring, wait for the same row.

        For one caller at a time. One that is cancelled ends its own wait and not the row's way.
        """
        # First of all: it raises where no loop runs, and then the ticket is still open.
        loop = asyncio.get_running_loop()
        if not self._settled:
            self._future = self._ledger.put(self._settled_row(outcome), loop, self._reservation)
        if self._future is None or self._future.cancelled():
            self._future = self._ledger.written()
        return self._future

    def settle_nowait(self, outcome: Outcome) -> None:
        """The same when nobody can wait: the client is gone, or there is no event loop."""
        if not self._settled:
            self._ledger.put_nowait(self._settled_row(outcome), self._reservation)

    @property
    def is_settled(self) -> bool:
        return self._settled

    def headers(self) -> list[tuple[bytes, bytes]]:
        """`x-ratelimit-*` as OpenAI names and writes them, for the limits that there are."""
        if self._hold is None:
            return []
        levels = ((_OF_REQUESTS, self._hold.requests()), (_OF_TOKENS, self._hold.tokens()))
        headers = []
        for (limit, remaining, reset), level in levels:
            if level is not None:
                headers += [
                    (limit, b"%d" % level.limit),
                    (remaining, b"%d" % level.remaining),
                    (reset, duration_text(level.reset_after_s).encode()),
                ]
        return headers

    def _settled_row(self, outcome: Outcome) -> LedgerRow:
        self._settled = True
        self._release((outcome.prompt_tokens or 0) + (outcome.completion_tokens or 0))
        key = self.key
        return LedgerRow(
            started_at=self.started_at,
            request_id=self.request_id,
            key_id=key.id,
            key_name=key.name,
            key_prefix=key.prefix,
            owner_id=key.owner_id,
            owner_name=key.owner_name,
            endpoint=self.endpoint,
            requested_model=self.requested_model,
            model=self.model,
            stream=self.stream,
            status=outcome.status,
            error_code=outcome.error_code,
            error_message=outcome.error_message,
            finish_reason=outcome.finish_reason,
            end_reason=outcome.end_reason,
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
            cached_tokens=outcome.cached_tokens,
            reasoning_tokens=outcome.reasoning_tokens,
            images=outcome.images,
            audio_ms=outcome.audio_ms,
            cost_nano_usd=outcome.cost_nano_usd,
            neurons_micro=outcome.neurons_micro,
            neurons_source=outcome.neurons_source,
            neurons_by_price_micro=outcome.neurons_by_price_micro,
            usage_source=outcome.usage_source,
            price=outcome.price,
            ttft_ms=outcome.ttft_ms,
            duration_ms=self.elapsed_ms(),
            attempts=outcome.attempts,
            client_ip=self.client_ip,
            user_agent=self.user_agent,
            user=self.user,
            captured=None if self.capture is None else self.capture.texts(),
        )

    def _release(self, used_tokens: int) -> None:
        if self._hold is not None:
            self._hold.release(used_tokens)

    def __del__(self) -> None:
        """A stream whose generator never started runs no `finally`: the row and the slot are
        settled here. On the loop, since the collector may run on any thread."""
        if getattr(self, "_settled", True):
            return
        outcome = Outcome(status=CLIENT_GONE_STATUS, end_reason=CLIENT_GONE)
        if self._loop.is_closed():
            self.settle_nowait(outcome)
        else:
            self._loop.call_soon_threadsafe(self.settle_nowait, outcome)


def check_permitted(key: KeyRecord, *, endpoint: str, client_ip: str) -> None:
    """What a key may do at all, whatever its limits say. Raises a NotPermitted."""
    if key.networks is not None and not key.allows_address(client_ip):
        raise errors.AddressNotAllowed(client_ip)
    if key.endpoints is not None and endpoint not in key.endpoints:
        raise errors.EndpointNotAllowed(endpoint, key.endpoints)


async def admit(
    key: KeyRecord,
    *,
    endpoint: str,
    request_id: str,
    client_ip: str,
    user_agent: str,
    now: float | None = None,
    counters: Counters | None = None,
    writer: LedgerWriter | None = None,
) -> Ticket:
    counters = process_counters if counters is None else counters
    writer = ledger if writer is None else writer
    now = time.time() if now is None else now
    writer.check_room()
    check_permitted(key, endpoint=endpoint, client_ip=client_ip)
    hold: Hold | None = None
    if key.rate_scopes:
        taken = await counters.take(key.rate_scopes)
        if isinstance(taken, Denial):
            writer.count_refusal(*_place(key, endpoint, "", now), _REFUSED[taken.limit])
            raise _limit_reached(taken, now)
        hold = taken
    return Ticket(
        key,
        endpoint=endpoint,
        request_id=request_id,
        client_ip=client_ip,
        user_agent=user_agent,
        started_at=now,
        hold=hold,
        ledger=writer,
    )


_ERRORS: Final[dict[Limit, tuple[type[errors.LimitReached], str]]] = {
    Limit.REQUESTS: (errors.RequestRateReached, "requests_per_minute"),
    Limit.TOKENS: (errors.TokenRateReached, "tokens_per_minute"),
    Limit.CONCURRENCY: (errors.ConcurrencyReached, "concurrency"),
}
# As the columns of the totals are called.
_REFUSED: Final[dict[Limit, str]] = {limit: f"refused_{limit.value}" for limit in Limit}


def _limit_reached(denial: Denial, now: float) -> errors.LimitReached:
    error_class, field = _ERRORS[denial.limit]
    return error_class(
        limit_value=getattr(denial.scope.limits, field),
        retry_after_s=denial.retry_after_s,
        reset_at=now + denial.retry_after_s,
        whose=denial.scope.words,
    )


def _count_refusal(ticket: Ticket, kind: str) -> None:
    place = _place(ticket.key, ticket.endpoint, ticket.model, ticket.started_at)
    ticket._ledger.count_refusal(*place, kind)


def _place(key: KeyRecord, endpoint: str, model: str, started_at: float) -> tuple[Place, Names]:
    place = Place(utc_day(started_at), key.id, key.owner_id or 0, model, endpoint)
    return place, Names(key.name, key.owner_name)


def _give_up(decided: "asyncio.Future[Shortfall | None]", after_s: float) -> None:
    if not decided.done():
        decided.set_exception(
            errors.LedgerUnavailable(
                f"The database did not confirm a reservation within {after_s:g} s."
            )
        )


def duration_text(seconds: float) -> str:
    """As OpenAI writes them: '0s', '120ms', '6s', '1m0s'. Rounded up, so that waiting is enough."""
    if 0 < seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
