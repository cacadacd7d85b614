"""The way of every request, in order. Read this first.

authenticate (base.py) → admit → read the body → resolve the model → translate → reserve → upstream
→ normalise → record → respond. Whatever happens after `admit`, the ticket is settled once: here, or
at the end of the stream that it is handed to.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from django.http.response import HttpResponseBase

from catalog import resolve as catalog
from catalog.pricing.costs import Quantities, estimate_upper, neurons_micro_from_cost
from catalog.snapshot import ModelRecord
from keys.access.key_record import KeyRecord
from keys.limits.admission import admit, admit_unrecorded
from keys.limits.headers import ratelimit_headers
from keys.request_scopes import count_tokens
from openai_api import upstream
from openai_api.errors import ApiError, ClientGone, api_error, report
from openai_api.exchange import Exchange, GatewayRequest
from openai_api.fallbacks import Standbys
from openai_api.use.recording import Metered
from openai_api.use.sessions import named_by_body, named_by_headers, person_of
from openai_api.wire.body import json_body
from openai_api.wire.capture import KeptBody, note_answer
from openai_api.wire.http_response import EventStreamResponse, StreamedResponse, WholeResponse
from workers_ai.client import WorkersAIClient
from workers_ai.errors import WorkersAIError

LONGEST_USER = 200
# Open WebUI can forward its user in these headers.
USER_HEADERS = (
    b"x-openwebui-user-email",
    b"x-openwebui-user-name",
    b"x-openwebui-user-id",
)


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


class Result(NamedTuple):
    """A whole answer: its body, what it used, and how it ended."""

    body: bytes
    metered: Metered
    finish_reason: str = ""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Stretch(Generic[PlanT]):
    """Tokens of each answer of a plan: those that are set aside at least, and the most that it can
    have. `limited`: the plan with a limit of so many millionths of the way between the two.
    """

    usual: int
    longest: int
    limited: Callable[[int], PlanT]


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[AskedT, PlanT]):
    """One endpoint: the pure steps of its folder, and the two ways its answers come."""

    name: str
    read: Callable[[Any], AskedT]
    plan: Callable[[AskedT, ModelRecord], PlanT]
    # Upper estimates, for limits and budgets: quantities of the whole request, with the likely
    # number of tokens in its prompt.
    most: Callable[[AskedT, PlanT, ModelRecord], Quantities]
    # The whole answer; or a response that sends its bytes as they come, and records itself.
    whole: Callable[
        [Exchange, AskedT, PlanT, WorkersAIClient], Awaitable[Result | StreamedResponse]
    ]
    # The most tokens that upstream can count in the prompt: a budget must not be overspent.
    most_prompt_tokens: Callable[[PlanT], int] | None = None
    # How far the answers can be longer than what is set aside for them.
    stretch: "Callable[[PlanT], Stretch[PlanT] | None] | None" = None
    # The model that a name means; raises where it may not run.
    resolve: Callable[..., ModelRecord] = catalog.resolve
    # Reads the request's body for `read`; `multipart.form_body` where files come in.
    body: Callable[[GatewayRequest], Awaitable[Any]] = json_body
    # The name of the field with the text, for upstream's errors, which name none.
    prompt_param: str = "messages"
    # Puts what the body refers to, of the key's earlier answers, into it.
    recall: Callable[[Any, KeyRecord], Any] | None = None
    # What the request asks for and the endpoint leaves out, in the caller's words.
    ignored: Callable[[AskedT], Collection[str]] | None = None
    # What has to be looked at before the request can be translated.
    prepare: Callable[[AskedT], Awaitable[None]] | None = None
    # What others have to be asked for, once the request is paid for: None where there is nothing;
    # else awaited, it tells whether the request has to be translated anew.
    fetch: Callable[[Exchange, AskedT], Awaitable[bool] | None] | None = None
    streamed: (
        Callable[[Exchange, AskedT, PlanT, WorkersAIClient], Awaitable[EventStreamResponse]] | None
    ) = None


async def answer(
    endpoint: Endpoint[AskedT, PlanT], request: GatewayRequest, key: KeyRecord
) -> HttpResponseBase:
    """Admits the request, answers it, and records it before the last byte leaves."""
    agent = request.raw_headers.get(b"user-agent", b"").decode("latin-1")
    ticket = await admit(
        key,
        endpoint=endpoint.name,
        request_id=request.request_id,
        client_ip=request.client_ip,
        user_agent=agent,
    )
    if request.trace is not None:
        ticket.on_row = request.trace.booked
    if ticket.capture is not None:
        request = KeptBody(request, ticket.capture)
    ticket.session, ticket.agent = named_by_headers(request.raw_headers)
    exchange = Exchange(request, key, ticket, prompt_param=endpoint.prompt_param)
    try:
        return await _answer(endpoint, exchange)
    except (asyncio.CancelledError, ClientGone):
        exchange.abandoned()
        raise
    except Exception as error:
        shown = await _failed(exchange, error)
        if shown is error:
            raise  # not from itself, which is a circle
        raise shown from error


async def prompt_tokens(
    endpoint: Endpoint[AskedT, PlanT], request: GatewayRequest, key: KeyRecord
) -> int:
    """The tokens of a request's prompt, estimated. It is admitted like any other, but nothing is
    run or recorded.
    """
    async with admit_unrecorded(key, endpoint=endpoint.name) as hold:
        body = await endpoint.body(request)
        if endpoint.recall is not None:
            body = endpoint.recall(body, key)
        asked = endpoint.read(body)
        model = catalog.resolve(asked.model, endpoint=endpoint.name, allows=key.allows_model)
        tokens = endpoint.most(asked, endpoint.plan(asked, model), model).prompt_tokens
    if hold is not None:
        request.response_headers += ratelimit_headers(hold)
    return tokens


async def _answer(endpoint: Endpoint[AskedT, PlanT], exchange: Exchange) -> HttpResponseBase:
    ticket, request = exchange.ticket, exchange.request
    body = await endpoint.body(request)
    request.watch_client()
    if not ticket.session:
        ticket.session = named_by_body(body)
    if endpoint.recall is not None:
        body = endpoint.recall(body, exchange.key)
    asked = endpoint.read(body)
    # What is not in `asked` is not kept until the answer is in.
    del body
    ignored = endpoint.ignored(asked) if endpoint.ignored is not None else ()
    if ignored:
        exchange.tell_ignored(ignored)
    ticket.requested_model = asked.model
    ticket.stream = asked.stream
    ticket.user = _person(asked.user, request)
    model = endpoint.resolve(asked.model, endpoint=endpoint.name, allows=exchange.key.allows_model)
    exchange.model, ticket.model = model, model.name
    if endpoint.prepare is not None:
        await endpoint.prepare(asked)
    run = _Run(endpoint, exchange, asked)
    if catalog.has_fallbacks(asked.model):
        exchange.standbys = Standbys(run, asked.model, endpoint.name, exchange)
        await exchange.standbys.plan_first()
    else:
        await run.plan(model)
    while True:
        try:
            response = await run.response()
        except WorkersAIError as error:
            if exchange.standbys is None or not await exchange.standbys.take_over(error):
                raise
        else:
            exchange.tell_headers()
            return response


class _Run(Generic[AskedT, PlanT]):
    """A request, planned for the model that is asked."""

    __slots__ = ("_asked", "_endpoint", "_exchange", "_plan", "is_paid_for")

    def __init__(
        self, endpoint: Endpoint[AskedT, PlanT], exchange: Exchange, asked: AskedT
    ) -> None:
        self._endpoint = endpoint
        self._exchange = exchange
        self._asked = asked
        self.is_paid_for = False

    async def plan(self, model: ModelRecord, *, again: bool = False) -> None:
        """Translates the request and sets aside what it can use."""
        endpoint, exchange, asked = self._endpoint, self._exchange, self._asked
        plan = endpoint.plan(asked, model)
        granted = None
        if exchange.key.effective_limits:
            most = endpoint.most(asked, plan, model)
            granted = await _reserve(endpoint, exchange, model, plan, most, again=again)
        self.is_paid_for = True
        fetched = endpoint.fetch(exchange, asked) if endpoint.fetch is not None else None
        if fetched is not None and await fetched:
            plan = endpoint.plan(asked, model)
        self._plan = plan if granted is None else _limited(endpoint, plan, granted)

    async def plan_again(self, model: ModelRecord) -> None:
        exchange = self._exchange
        await self.plan(model, again=True)
        exchange.model, exchange.ticket.model = model, model.name

    async def response(self) -> HttpResponseBase:
        """Upstream's answer, recorded or about to record itself."""
        endpoint, exchange, asked, plan = self._endpoint, self._exchange, self._asked, self._plan
        client = upstream.client(exchange.ticket.loop)
        if asked.stream and endpoint.streamed is not None:
            return await endpoint.streamed(exchange, asked, plan, client)
        result = await endpoint.whole(exchange, asked, plan, client)
        if not isinstance(result, Result):
            return result
        if exchange.ticket.capture is not None:
            await note_answer(exchange.ticket.capture, result.body)
        await exchange.complete(result.metered, finish_reason=result.finish_reason)
        return WholeResponse(result.body, content_type=result.content_type)


async def _reserve(
    endpoint: Endpoint[AskedT, PlanT],
    exchange: Exchange,
    model: ModelRecord,
    plan: PlanT,
    most: Quantities,
    *,
    again: bool,
) -> int | None:
    """Sets aside what the request can use; how many millionths of the way from the usual to the
    longest answer are paid for, None where nothing limits it. `again`: instead of what was set
    aside for another model.

    A chat without a limit may use its whole window. To set that aside for each would leave nothing
    to those beside it, so the usual length is set aside, and as much more as budgets have to spare:
    that is then the limit which is sent, and no budget is overspent.
    """
    tokens = most.prompt_tokens + most.completion_tokens
    budgets = exchange.ticket.budgets(model.name)
    if not budgets:
        await exchange.ticket.reserve(
            tokens=tokens,
            cost_nano_usd=None,
            neurons_micro=None,
            model=model.name,
            again=again,
        )
        return None
    prices, upper = model.prices, _upper(endpoint, plan, most)
    cost = estimate_upper(prices, upper)
    stretch = endpoint.stretch(plan) if endpoint.stretch is not None else None
    wished = wished_tokens = None
    if stretch is not None:
        longest = upper.completion_tokens * stretch.longest // stretch.usual
        if cost is not None:
            wished = estimate_upper(prices, upper._replace(completion_tokens=longest))
        if count_tokens(budgets):
            wished_tokens = most.prompt_tokens + longest
    granted = await exchange.ticket.reserve(
        tokens=tokens,
        cost_nano_usd=cost,
        neurons_micro=None if cost is None else neurons_micro_from_cost(cost),
        wished_cost_nano_usd=wished,
        wished_neurons_micro=None if wished is None else neurons_micro_from_cost(wished),
        wished_tokens=wished_tokens,
        model=model.name,
        again=again,
    )
    return None if wished is None and wished_tokens is None else granted


def _limited(endpoint: Endpoint[AskedT, PlanT], plan: PlanT, granted: int) -> PlanT:
    """The plan with the output limit that budgets pay for."""
    stretch = None if endpoint.stretch is None else endpoint.stretch(plan)
    return plan if stretch is None else stretch.limited(granted)


def _upper(endpoint: Endpoint[AskedT, PlanT], plan: PlanT, most: Quantities) -> Quantities:
    if endpoint.most_prompt_tokens is None:
        return most
    tokens = endpoint.most_prompt_tokens(plan)
    return most if tokens <= most.prompt_tokens else Quantities(tokens, *most[1:])


async def _failed(exchange: Exchange, error: Exception) -> ApiError:
    """Settles the ticket of a request that ends without an answer; returns the error to show."""
    report(error, request_id=exchange.request.request_id)
    if exchange.ticket.is_settled:  # refused by a limit, which leaves no row
        shown = api_error(error)
    else:
        shown = await exchange.failed(error, exchange.spent)
    exchange.tell_headers()
    return shown


def _person(named: str, request: GatewayRequest) -> str:
    """Who is behind the key, as the client names them: spaces around a name make no other."""
    named = named.strip()
    if not named:
        for header in USER_HEADERS:
            value = request.raw_headers.get(header)
            if value:
                named = value.decode("utf-8", "replace").strip()
                break
        else:
            return ""
    return person_of(named)[:LONGEST_USER]
