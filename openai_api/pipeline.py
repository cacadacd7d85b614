"""The way of every request, in order. Read this first.

authenticate (base.py) → admit → read the body → resolve the model → translate → reserve → upstream
→ normalise → record → respond. Whatever happens after `admit`, the ticket is settled once: by
`_failed` here, by the end of
`_whole`, or by the stream that `_streamed` hands it to.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from catalog import resolve as catalog
from catalog.pricing import Quantities, cost_nano_usd
from catalog.snapshot import ModelRecord
from keys.admission import Ticket, admit
from keys.key_index import KeyRecord
from openai_api import upstream
from openai_api.errors import ApiError, BodyTooLarge, ClientGone, WrongMediaType, api_error
from openai_api.fields import json_object
from openai_api.recording import NOTHING_USED, Metered, outcome_of
from openai_api.streaming import EventStreamResponse
from workers_ai.client import WorkersAIClient
from workers_ai.errors import StreamCut, TimedOut, UpstreamTimedOut, WorkersAIError

LONGEST_USER = 200
# Open WebUI forwards its person in these when it is told to.
USER_HEADERS = (
    b"x-openwebui-user-email",
    b"x-openwebui-user-name",
    b"x-openwebui-user-id",
)


class GatewayRequest(Protocol):
    """What the pipeline needs of a request; `proxysite` gives it."""

    request_id: str
    client_ip: str
    client_gone: bool
    raw_headers: dict[bytes, bytes]

    async def read_body(self, limit_bytes: int) -> bytes: ...

    def watch_client(self) -> None: ...


class Asked(Protocol):
    """The part of an endpoint's request that every endpoint has."""

    @property
    def model(self) -> str: ...

    @property
    def stream(self) -> bool: ...

    @property
    def user(self) -> str: ...


AskedT = TypeVar("AskedT", bound=Asked)
PlanT = TypeVar("PlanT")


@dataclass(frozen=True, slots=True)
class Result:
    """A whole answer: its body, what it used, and how it ended."""

    body: bytes
    metered: Metered
    finish_reason: str = ""
    attempts: int = 1
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Exchange:
    """One admitted request on its way: who asks, for what, and the ticket to settle."""

    request: GatewayRequest
    key: KeyRecord
    ticket: Ticket
    model: ModelRecord | None = None
    # Set once upstream may have begun to work, and to bill: what to record when nobody is left.
    used_so_far: Callable[[], Metered] | None = None
    # What a request that failed had used all the same, such as the pictures that did come.
    spent: Metered = NOTHING_USED
    attempts: int = 0

    def affinity(self, conversation: str) -> str:
        """An opaque id that keeps one key's conversation on one upstream instance."""
        text = f"{self.key.id}:{conversation}".encode("utf-8", "replace")
        return hashlib.blake2b(text, digest_size=16).hexdigest()

    def headers(self) -> dict[str, str]:
        return {
            "openai-processing-ms": str(self.ticket.elapsed_ms()),
            **self.ticket.headers(),
        }


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[AskedT, PlanT]):
    """One endpoint: the pure steps of its folder, and the two ways its answers come."""

    name: str
    read: Callable[[dict[str, Any]], AskedT]
    plan: Callable[[AskedT, ModelRecord], PlanT]
    # Upper estimates, for limits and budgets: quantities of the whole request.
    most: Callable[[AskedT, PlanT, ModelRecord], Quantities]
    whole: Callable[[Exchange, AskedT, PlanT, WorkersAIClient], Awaitable[Result]]
    # What has to be fetched before the request can be translated.
    prepare: Callable[[AskedT], Awaitable[None]] | None = None
    streamed: (
        Callable[[Exchange, AskedT, PlanT, WorkersAIClient], Awaitable[EventStreamResponse]] | None
    ) = None


async def answer(
    endpoint: Endpoint[AskedT, PlanT], request: GatewayRequest, key: KeyRecord
) -> HttpResponseBase:
    """Admits the request, answers it, and records it before the last byte leaves."""
    agent = request.raw_headers.get(b"user-agent", b"").decode("latin-1")
    ticket = admit(
        key,
        endpoint=endpoint.name,
        request_id=request.request_id,
        client_ip=request.client_ip,
        user_agent=agent,
    )
    exchange = Exchange(request, key, ticket)
    try:
        return await _answer(endpoint, exchange)
    except BaseException as error:
        await _failed(exchange, error)
        raise


async def _answer(endpoint: Endpoint[AskedT, PlanT], exchange: Exchange) -> HttpResponseBase:
    ticket, request = exchange.ticket, exchange.request
    _check_media_type(request.raw_headers)
    body = json_object(await request.read_body(settings.MAX_BODY_BYTES))
    request.watch_client()
    asked = endpoint.read(body)
    ticket.requested_model = asked.model
    ticket.stream = asked.stream
    ticket.user = _user(asked.user, request)
    model = catalog.resolve(asked.model, endpoint=endpoint.name, allows=exchange.key.allows_model)
    exchange.model, ticket.model = model, model.name
    if endpoint.prepare is not None:
        await endpoint.prepare(asked)
    plan = endpoint.plan(asked, model)
    most = endpoint.most(asked, plan, model)
    await ticket.reserve(
        tokens=most.prompt_tokens + most.completion_tokens,
        cost_nano_usd=cost_nano_usd(model.prices, most),
    )
    if asked.stream and endpoint.streamed is not None:
        response: HttpResponseBase = await endpoint.streamed(
            exchange, asked, plan, upstream.client()
        )
    else:
        response = await _whole(
            exchange, await endpoint.whole(exchange, asked, plan, upstream.client())
        )
    for name, value in exchange.headers().items():
        response[name] = value
    return response


async def _whole(exchange: Exchange, result: Result) -> HttpResponse:
    outcome = outcome_of(
        result.metered,
        exchange.model,
        status=200,
        end_reason="complete",
        finish_reason=result.finish_reason,
        ttft_ms=exchange.ticket.elapsed_ms(),
        attempts=result.attempts,
    )
    # Shielded: the row is written even if the client leaves while it is being committed.
    await asyncio.shield(exchange.ticket.settle(outcome))
    response = HttpResponse(result.body, content_type="application/json")
    for name, value in result.headers.items():
        response[name] = value
    return response


async def _failed(exchange: Exchange, error: BaseException) -> None:
    """Settles the ticket of a request that ends without an answer, unless somebody did already."""
    ticket = exchange.ticket
    if ticket.is_settled:
        return
    if not isinstance(error, Exception) or isinstance(error, ClientGone):
        ticket.settle_nowait(
            outcome_of(
                exchange.used_so_far() if exchange.used_so_far else NOTHING_USED,
                exchange.model,
                status=499 if exchange.request.client_gone else 503,
                end_reason="client_gone" if exchange.request.client_gone else "server_stopped",
                attempts=exchange.attempts,
            )
        )
        return
    shown = api_error(error)
    attempts = error.attempts if isinstance(error, WorkersAIError) else exchange.attempts
    outcome = outcome_of(
        exchange.spent,
        exchange.model,
        status=shown.status,
        end_reason=end_reason(error),
        error=shown,
        attempts=attempts,
    )
    for name, value in exchange.headers().items():
        shown.headers.setdefault(name, value)
    await asyncio.shield(ticket.settle(outcome))


def end_reason(error: Exception) -> str:
    """How the ledger names the end of a request that failed."""
    if isinstance(error, TimedOut | UpstreamTimedOut):
        return "upstream_timeout"
    if isinstance(error, StreamCut):
        return "upstream_cut"
    if isinstance(error, WorkersAIError):
        return "upstream_error"
    if isinstance(error, ApiError | BodyTooLarge):
        return "rejected" if error.status < 500 else "gateway_error"
    return "rejected" if api_error(error).status < 500 else "gateway_error"


def _check_media_type(headers: dict[bytes, bytes]) -> None:
    """JSON is taken under any name, as curl sends it; what is surely something else is refused."""
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type.startswith((b"multipart/", b"image/", b"audio/", b"video/")):
        raise WrongMediaType(
            "This endpoint takes a JSON object: send it with 'Content-Type: application/json', "
            f"not '{media_type.decode('latin-1')[:60]}'."
        )
    encoding = headers.get(b"content-encoding", b"").strip().lower()
    if encoding not in (b"", b"identity"):
        raise WrongMediaType(
            f"Compressed request bodies ('{encoding.decode('latin-1')[:60]}') are not taken: "
            "send the JSON as it is."
        )


def _user(named: str, request: GatewayRequest) -> str:
    """Who is behind the key, as the client tells it."""
    if not named:
        for header in USER_HEADERS:
            value = request.raw_headers.get(header)
            if value:
                named = value.decode("utf-8", "replace")
                break
    return named[:LONGEST_USER]
