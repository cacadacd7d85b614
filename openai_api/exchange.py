"""One admitted request on its way: who asks, for what, and the ticket that is settled once.

`pipeline.py` carries it from step to step and `streaming.py` to the end of a stream. Whoever holds
it last records how the request ended, with one of the three methods at the end.
"""

import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from django.conf import settings
from django.http.response import HttpResponseBase

from catalog import breaker
from catalog.snapshot import ModelRecord
from keys.access.key_record import KeyRecord
from keys.errors import LedgerUnavailable
from keys.ledger.rows import LedgerRow
from keys.limits.ticket import Ticket
from openai_api.account_choice import SEVERAL, AccountChoice
from openai_api.account_turns import Turns
from openai_api.ai_gateway import gateway_headers
from openai_api.errors import ApiError, KeyStoppedError, StoppingError, api_error
from openai_api.model_access import note_answer
from openai_api.model_failures import note_failure
from openai_api.use.recording import NOTHING_USED, Metered, outcome_of, priced
from workers_ai.caller import Caller
from workers_ai.caller import Trace as CallsTrace
from workers_ai.errors import StreamCut, TimedOut, UpstreamTimedOut, WorkersAIError

CLIENT_CLOSED_REQUEST = 499
STOPPING = 503
LONGEST_IGNORED = 500
# Read once: asking the settings is a call.
USAGE_COST: Final[bool] = settings.USAGE_COST
_IN_A_HEADER = re.compile(r"[^A-Za-z0-9_.,: -]")


class GatewayRequest(Protocol):
    """What the pipeline needs of a request; `proxysite` gives it."""

    request_id: str
    client_ip: str
    # None until the key is known.
    key_id: int | None
    raw_headers: dict[bytes, bytes]
    # Headers of the answer, whether it succeeds or fails.
    response_headers: list[tuple[bytes, bytes]]
    # None unless requests are traced or measured.
    trace: "Trace | None"

    @property
    def client_gone(self) -> bool: ...

    async def read_body(self, limit_bytes: int) -> bytes: ...

    def watch_client(self) -> None: ...


class Trace(CallsTrace, Protocol):
    """What becomes of a request, as `proxysite/telemetry/` tells it. `model` is asked now."""

    model: str

    def booked(self, row: LedgerRow) -> None:
        """The request's row, as the ledger books it."""

    def end(self, status: int) -> None:
        """The answer has left, or the client has."""


class Held(Protocol):
    def release(self) -> None: ...


class OtherModels(Protocol):
    """`openai_api/fallbacks.py`: models that may answer when the one that is asked cannot."""

    async def plan_first(self) -> None: ...

    async def take_over(self, error: WorkersAIError) -> bool: ...

    async def stream_after(self, error: WorkersAIError) -> HttpResponseBase: ...


@dataclass(slots=True)
class Exchange:
    """`used_so_far` is set once upstream may have begun to work, and to charge."""

    request: GatewayRequest
    key: KeyRecord
    ticket: Ticket
    prompt_param: str = "messages"
    model: ModelRecord | None = None
    used_so_far: Callable[[], Metered] | None = None
    # What a failed request used nevertheless, such as pictures that were made before the failure.
    spent: Metered = NOTHING_USED
    attempts: int = 0
    ttft_ms: int | None = None
    # Memory that the request has a share of, such as that for pictures.
    holds: Held | None = None
    standbys: OtherModels | None = None
    # Whether one of them is left: a model without capacity is then not waited for.
    others_stand_by: bool = False
    turns: Turns | None = None
    # Where there are several accounts.
    accounts: AccountChoice | None = None
    # What keeps a conversation at one upstream instance, and at one account.
    conversation: str = ""

    @property
    def caller(self) -> Caller:
        """Who shares the connections to upstream with the other keys."""
        trace = self.request.trace
        if trace is not None and self.model is not None:
            trace.model = self.model.name
        return Caller(
            str(self.key.id),
            gateway_headers(self.key, self.request.raw_headers),
            waits=not self.others_stand_by,
            turns=self._turns(),
            accounts=self._accounts() if SEVERAL else None,
            trace=trace,
        )

    def _turns(self) -> Turns | None:
        """The same for all calls of one model."""
        model, turns = self.model, self.turns
        if model is None or (turns is not None and turns.model is model):
            return turns
        self.turns = Turns(self.key, self.ticket, model, others_stand_by=self.others_stand_by)
        return self.turns

    def _accounts(self) -> AccountChoice | None:
        """The same for all calls of one model."""
        turns, choice = self.turns, self.accounts
        if turns is not None and (choice is None or choice.model is not turns.model):
            choice = self.accounts = AccountChoice(self.ticket, turns)
        if choice is not None:
            choice.conversation = self.conversation or self.ticket.session
        return choice

    @property
    def calls_in_line(self) -> int:
        """Calls that wait for their turn, and are not sent yet."""
        return 0 if self.turns is None else self.turns.in_line

    def affinity(self, conversation: str) -> str:
        """An opaque id that keeps one key's conversation on one upstream instance."""
        text = f"{self.key.id}:{conversation}".encode("utf-8", "replace")
        self.conversation = hashlib.blake2b(text, digest_size=16).hexdigest()
        return self.conversation

    def tell_ignored(self, left_out: Collection[str]) -> None:
        """Names in a header what was asked for and is left out."""
        shown = _IN_A_HEADER.sub("?", ", ".join(left_out)[:LONGEST_IGNORED]).encode()
        self.request.response_headers.append((b"x-gateway-ignored", shown))

    def tell_headers(self) -> None:
        """Adds headers about the model, the time taken so far and what is left of the limits."""
        headers = self.request.response_headers
        if self.model is not None:
            headers.append((b"x-gateway-model", self.model.header))
        processing_ms = b"%d" % self.ticket.elapsed_ms()
        headers.append((b"openai-processing-ms", processing_ms))
        headers += self.ticket.headers()

    def first_byte(self) -> None:
        """Marks the time to the first byte, once."""
        if self.ttft_ms is None:
            self.ttft_ms = self.ticket.elapsed_ms()

    def priced(self, metered: Metered) -> Metered:
        """What a complete answer used, with its cost, which its usage shows unless that is off."""
        return priced(metered, self.model, tell=USAGE_COST)

    async def complete(self, metered: Metered, *, finish_reason: str) -> None:
        """Records a complete answer; returns when the row is committed.

        The row is written even if the client leaves while it is being committed.
        """
        self.first_byte()
        if self.model is not None:
            breaker.answered(self.model.name)
            if self.model.access:
                note_answer(self.model)
        outcome = outcome_of(
            metered,
            self.model,
            status=200,
            end_reason="complete",
            finish_reason=finish_reason,
            ttft_ms=self.ttft_ms,
            attempts=self.attempts,
        )
        self._let_go()
        await self.ticket.settle(outcome)

    async def failed(
        self, error: Exception, metered: Metered, *, status: int | None = None
    ) -> ApiError:
        """Records a failure; returns the error to show. `status` is the one that a stream already
        sent.
        """
        shown = api_error(error, prompt_param=self.prompt_param)
        if isinstance(error, WorkersAIError) and self.model is not None and self.ttft_ms is None:
            note_failure(self.model, error)
        outcome = outcome_of(
            metered,
            self.model,
            status=shown.status if status is None else status,
            end_reason=end_reason(error),
            error=shown,
            ttft_ms=self.ttft_ms,
            attempts=max(self.attempts, error.attempts if isinstance(error, WorkersAIError) else 0),
        )
        if self.ticket.is_settled:
            return shown
        try:
            self._let_go()
            await self.ticket.settle(outcome)
        except LedgerUnavailable as unrecorded:
            shown = api_error(unrecorded)
        return shown

    def abandoned(self) -> None:
        """Records that the client left or the worker stops, without waiting for the row."""
        gone = self.request.client_gone
        nothing_sent = self.turns is not None and self.turns.nothing_sent
        used = self.used_so_far
        self.ticket.settle_nowait(
            outcome_of(
                NOTHING_USED if used is None or nothing_sent else used(),
                self.model,
                status=CLIENT_CLOSED_REQUEST if gone else STOPPING,
                end_reason="client_gone" if gone else "server_stopped",
                ttft_ms=self.ttft_ms,
                attempts=self.attempts,
            )
        )
        self._let_go()

    def _let_go(self) -> None:
        # It refers to this exchange, which would stay in memory until the garbage collector runs.
        self.used_so_far = None
        if self.holds is not None:
            self.holds.release()


def end_reason(error: Exception) -> str:
    """How the ledger names the end of a request that failed."""
    if isinstance(error, KeyStoppedError):
        return "key_revoked"
    if isinstance(error, StoppingError):
        return "server_stopped"
    if isinstance(error, TimedOut | UpstreamTimedOut):
        return "upstream_timeout"
    if isinstance(error, StreamCut):
        return "upstream_cut"
    if isinstance(error, WorkersAIError):
        return "upstream_error"
    return "rejected" if api_error(error).status < 500 else "gateway_error"
