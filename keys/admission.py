"""Step two: may this key do this now? A ticket comes out, to be settled once by its last holder.

`admit` looks at networks, endpoints, rates and slots in memory and takes what it needs. It raises
`NotPermitted`, `LimitReached` or `LedgerUnavailable` of `errors.py` and then has taken nothing.
`Ticket.reserve` comes when model and price are known. `Ticket.settle` frees what was taken and
queues the row; its future says when the row is committed.
"""

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Final

from keys import errors
from keys.counters import Counters, Denial, Limit, MemoryCounters
from keys.key_index import KeyRecord
from keys.ledger import LedgerRow, LedgerWriter, ledger

# Of this process: every admission on its event loop counts here.
process_counters: Counters = MemoryCounters()

# Nobody told the client anything, nor was there anybody to tell.
CLIENT_GONE_STATUS: Final = 499
CLIENT_GONE: Final = "client_gone"


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
    usage_source: str = "none"
    price: str | None = None
    ttft_ms: int | None = None
    attempts: int = 0


class Ticket:
    """An admitted request. The attributes without an underscore go into its row as they stand when
    it is settled: the view fills them in as it learns them."""

    __slots__ = (
        "_began",
        "_counters",
        "_future",
        "_ledger",
        "_loop",
        "_reserved_tokens",
        "_settled",
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
        self._began = time.perf_counter()
        self._counters = counters
        self._ledger = ledger
        self._reserved_tokens = 0
        self._settled = False
        self._future: asyncio.Future[None] | None = None
        self._loop = _running_loop()

    def elapsed_ms(self) -> int:
        return round((time.perf_counter() - self._began) * 1000)

    async def reserve(self, *, tokens: int, cost_nano_usd: int | None) -> None:
        """Hold room for an upper estimate, before upstream is called. Raises `LimitReached` or
        `BudgetUsedUp`; the ticket is then withdrawn, and refusals leave no row."""
        limit = self.key.limits.tokens_per_minute
        if limit is None:
            return
        # An estimate is far above the use as a rule. One above the whole limit may run when it is
        # alone, or a key with a limit below the usual max_tokens could never be used.
        tokens = min(max(tokens, 0), limit)
        denial = self._counters.reserve_tokens(self.key.id, tokens, tokens_per_minute=limit)
        if denial is not None:
            self.withdraw()
            raise _limit_reached(denial, self.key, time.time())
        self._reserved_tokens = tokens

    def withdraw(self) -> None:
        """Give everything back without a row, for a refusal after admission."""
        if not self._settled:
            self._settled = True
            self._release(0)

    def settle(self, outcome: Outcome) -> "asyncio.Future[None]":
        """Free the slot, queue the row, and return what resolves once the row is committed. Only
        the first call counts; later ones, whatever they bring, get the same future.

        Await it through `asyncio.shield`: a cancelled caller must not cancel it for others.
        """
        # First of all: it raises where no loop runs, and then the ticket is still open.
        loop = asyncio.get_running_loop()
        if not self._settled:
            self._future = self._ledger.put(self._settled_row(outcome), loop)
        if self._future is None:
            self._future = self._ledger.written()
        return self._future

    def settle_nowait(self, outcome: Outcome) -> None:
        """The same when nobody can wait: the client is gone, or there is no event loop."""
        if not self._settled:
            self._ledger.put_nowait(self._settled_row(outcome))

    @property
    def is_settled(self) -> bool:
        return self._settled

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*` as OpenAI names and writes them, for the limits that the key has."""
        headers: dict[str, str] = {}
        limits = self.key.limits
        for what, limit, read in (
            ("requests", limits.requests_per_minute, self._counters.requests),
            ("tokens", limits.tokens_per_minute, self._counters.tokens),
        ):
            if limit is not None:
                level = read(self.key.id)
                headers[f"x-ratelimit-limit-{what}"] = str(limit)
                headers[f"x-ratelimit-remaining-{what}"] = str(max(0, limit - level.used))
                headers[f"x-ratelimit-reset-{what}"] = duration_text(level.reset_after_s)
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
            usage_source=outcome.usage_source,
            price=outcome.price,
            ttft_ms=outcome.ttft_ms,
            duration_ms=self.elapsed_ms(),
            attempts=outcome.attempts,
            client_ip=self.client_ip,
            user_agent=self.user_agent,
            user=self.user,
        )

    def _release(self, used_tokens: int) -> None:
        self._counters.release(
            self.key.id, reserved_tokens=self._reserved_tokens, used_tokens=used_tokens
        )

    def __del__(self) -> None:
        """A stream whose generator never started runs no `finally`: the row and the slot are
        settled here. On the loop, since the collector may run on any thread."""
        if getattr(self, "_settled", True):
            return
        outcome = Outcome(status=CLIENT_GONE_STATUS, end_reason=CLIENT_GONE)
        if self._loop is None or self._loop.is_closed():
            self.settle_nowait(outcome)
        else:
            self._loop.call_soon_threadsafe(self.settle_nowait, outcome)


def admit(
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
    if not key.allows_address(client_ip):
        raise errors.AddressNotAllowed(client_ip)
    if key.endpoints is not None and endpoint not in key.endpoints:
        raise errors.EndpointNotAllowed(endpoint, key.endpoints)
    denial = counters.take(
        key.id,
        requests_per_minute=key.limits.requests_per_minute,
        tokens_per_minute=key.limits.tokens_per_minute,
        concurrency=key.limits.concurrency,
    )
    if denial is not None:
        raise _limit_reached(denial, key, now)
    return Ticket(
        key,
        endpoint=endpoint,
        request_id=request_id,
        client_ip=client_ip,
        user_agent=user_agent,
        started_at=now,
        counters=counters,
        ledger=writer,
    )


_ERRORS: Final[dict[Limit, tuple[type[errors.LimitReached], str]]] = {
    Limit.REQUESTS: (errors.RequestRateReached, "requests_per_minute"),
    Limit.TOKENS: (errors.TokenRateReached, "tokens_per_minute"),
    Limit.CONCURRENCY: (errors.ConcurrencyReached, "concurrency"),
}


def _limit_reached(denial: Denial, key: KeyRecord, now: float) -> errors.LimitReached:
    error_class, field = _ERRORS[denial.limit]
    return error_class(
        limit_value=getattr(key.limits, field),
        retry_after_s=denial.retry_after_s,
        reset_at=now + denial.retry_after_s,
    )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def duration_text(seconds: float) -> str:
    """As OpenAI writes them: '0s', '120ms', '6s', '1m0s'. Rounded up, so that waiting is enough."""
    if 0 < seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
