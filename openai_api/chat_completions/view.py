"""`POST /v1/chat/completions`: the folder's steps put together, whole and streamed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
from django.conf import settings
from django.http.response import HttpResponseBase

from catalog.pricing import Quantities
from catalog.snapshot import ModelRecord
from keys.key_index import KeyRecord
from openai_api import pipeline, token_estimate
from openai_api.base import GatewayView
from openai_api.chat_completions import request as chat_request
from openai_api.chat_completions import schema_form
from openai_api.chat_completions.normalise import (
    DONE,
    ChatNormaliser,
    ChatStream,
    completion,
)
from openai_api.chat_completions.pictures import inline_pictures
from openai_api.chat_completions.request import ChatRequest
from openai_api.chat_completions.translate import ChatPlan, translate
from openai_api.errors import KeyStoppedError, api_error, report
from openai_api.pipeline import Endpoint, Exchange, Result, end_reason
from openai_api.recording import Metered, metered_tokens, outcome_of
from openai_api.streaming import PING, EventStreamResponse, error_event
from workers_ai.client import Answer, EventSource, WorkersAIClient
from workers_ai.errors import BadInput, UnusableAnswer, WorkersAIError

# After `[DONE]` upstream may still send usage before it closes; it does not get long.
LATE_USAGE_S = 2.0


def plan(asked: ChatRequest, model: ModelRecord) -> ChatPlan:
    return translate(asked, model, default_max_tokens=settings.DEFAULT_MAX_TOKENS)


def most(asked: ChatRequest, plan: ChatPlan, model: ModelRecord) -> Quantities:
    """The most that the answer can use: the whole prompt and every token of the limit."""
    choices = asked.settings.get("n") or 1
    limit = plan.expected.max_tokens or settings.DEFAULT_MAX_TOKENS
    return Quantities(
        prompt_tokens=token_estimate.prompt_tokens(model.name, plan.prompt_characters),
        completion_tokens=limit * choices,
    )


async def ask(
    exchange: Exchange,
    asked: ChatRequest,
    plan_: ChatPlan,
    client: WorkersAIClient,
    *,
    stream: bool,
) -> Answer | EventSource:
    """One call upstream; a second one when the model wants its JSON schema in the other form."""
    assert exchange.model is not None
    affinity = exchange.affinity(plan_.conversation)
    try:
        return await client.chat(plan_.body(stream=stream), affinity=affinity, stream=stream)
    except BadInput as error:
        if not schema_form.learn(exchange.model.name, error):
            raise
    again = plan(asked, exchange.model)
    return await client.chat(again.body(stream=stream), affinity=affinity, stream=stream)


async def whole(
    exchange: Exchange, asked: ChatRequest, plan: ChatPlan, client: WorkersAIClient
) -> Result:
    """The answer as one `chat.completion`; an empty success is asked for once more."""
    attempts = 0
    exchange.used_so_far = lambda: _metered(exchange, plan, ChatNormaliser(plan.expected), True)
    for last_try in (False, True):
        answer = await ask(exchange, asked, plan, client, stream=False)
        assert isinstance(answer, Answer)
        attempts += answer.attempts
        machine = ChatNormaliser(plan.expected)
        try:
            deltas = machine.take_whole(answer.content)
            deltas += machine.end()
            break
        except UnusableAnswer as error:
            error.attempts = attempts
            if last_try:
                raise
    metered = _metered(exchange, plan, machine, False, answer)
    body = completion(machine, deltas)
    body["usage"] = metered.usage.as_openai()
    reason = machine.finish_reasons.get(0, "stop")
    return Result(dumps_completion(body), metered, finish_reason=reason, attempts=attempts)


def dumps_completion(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body)


def _metered(
    exchange: Exchange,
    plan: ChatPlan,
    machine: ChatNormaliser,
    partial: bool,
    answer: Answer | EventSource | None = None,
) -> Metered:
    assert exchange.model is not None
    usage = machine.usage
    if usage.neurons is None and isinstance(answer, Answer) and answer.neurons is not None:
        usage = usage.with_neurons(answer.neurons)
    return metered_tokens(
        exchange.model.name,
        usage,
        prompt_characters=plan.prompt_characters,
        completion_characters=machine.characters,
        partial=partial,
        cached_answer=answer is not None and answer.from_cache,
    )


async def streamed(
    exchange: Exchange, asked: ChatRequest, plan: ChatPlan, client: WorkersAIClient
) -> EventStreamResponse:
    """The answer as a stream that begins with upstream's first event.

    A failure before that is an ordinary error answer. When upstream says nothing for as long as the
    keep-alive interval the stream begins with comments instead, or proxies would cut the
    connection.
    """
    stream = LiveChatStream(exchange, asked, plan, client)
    exchange.used_so_far = stream.used_so_far
    opening = asyncio.ensure_future(stream.open())
    try:
        opened, _ = await asyncio.wait({opening}, timeout=settings.KEEPALIVE_INTERVAL)
        first = opening.result() if opened else None
    except BaseException:
        opening.cancel()
        raise
    response = EventStreamResponse(stream.blocks(first, opening), key_id=exchange.key.id)
    stream.response = response
    return response


class LiveChatStream:
    """One stream in flight, from upstream's first event to the committed row."""

    def __init__(
        self, exchange: Exchange, asked: ChatRequest, plan: ChatPlan, client: WorkersAIClient
    ) -> None:
        self.response: EventStreamResponse | None = None
        self._exchange = exchange
        self._asked = asked
        self._plan = plan
        self._client = client
        self._chunks = ChatStream(plan.expected, include_usage=asked.include_usage)
        self._answer: Answer | EventSource | None = None
        self._events: AsyncIterator[Any] | None = None
        self._ttft_ms: int | None = None

    async def open(self) -> bytes:
        """Calls upstream and waits for its first event; the chunks of that.

        An answer that holds nothing is asked for once more, without streaming.
        """
        try:
            return await self._open(stream=True)
        except UnusableAnswer:
            await self._close()
            self._chunks = self._chunks.anew()
        try:
            return await self._open(stream=False)
        except UnusableAnswer as error:
            error.attempts = self._exchange.attempts
            raise

    async def _open(self, *, stream: bool) -> bytes:
        try:
            answer = await ask(self._exchange, self._asked, self._plan, self._client, stream=stream)
        except WorkersAIError as error:
            self._exchange.attempts += error.attempts
            error.attempts = self._exchange.attempts
            raise
        self._answer = answer
        self._exchange.attempts += answer.attempts
        if isinstance(answer, Answer):
            return self._timed(self._chunks.whole(answer.content))
        self._events = aiter(answer)
        try:
            async for events in self._events:
                block = self._chunks.events(events)
                if block:
                    return self._timed(block)
            if not self._chunks.machine.answered:
                self._chunks.end()  # raises what an empty stream is
        except BaseException:
            await self._close()
            raise
        return b""

    def _timed(self, block: bytes) -> bytes:
        self._ttft_ms = self._exchange.ticket.elapsed_ms()
        return block

    async def blocks(
        self, first: bytes | None, opening: "asyncio.Future[bytes]"
    ) -> AsyncIterator[bytes]:
        """Chunks, the end, `[DONE]`. Settles the ticket on every way out."""
        try:
            if first is None:
                yield PING
                first = await opening
            if first:
                yield first
            if self._events is not None and not self._chunks.machine.done:
                async for events in self._events:
                    block = self._chunks.events(events)
                    if block:
                        yield block
                    if self._chunks.machine.done:
                        break
            await self._late_usage()
            tail = self._chunks.end()
            metered = self._metered(partial=False)
            reasons = self._chunks.machine.finish_reasons
            await self._settle(metered, "complete", finish_reason=reasons.get(0, "stop"))
            yield tail + self._chunks.usage_chunk(metered.usage) + DONE
        except (asyncio.CancelledError, GeneratorExit) as gone:
            opening.cancel()
            if isinstance(gone, GeneratorExit) or not self._stopped_for_key():
                self._settle_gone()
                raise
            yield await self._failed(KeyStoppedError("The API key is no longer in force."))
        except Exception as error:
            yield await self._failed(error)
        finally:
            await self._close()

    async def _late_usage(self) -> None:
        """Reads on to the end of a stream that said `[DONE]`: usage may follow."""
        if self._events is None or not self._chunks.machine.done:
            return
        try:
            async with asyncio.timeout(LATE_USAGE_S):
                async for events in self._events:
                    self._chunks.events(events)
        except TimeoutError:
            return

    def _stopped_for_key(self) -> bool:
        return self.response is not None and self.response.forgive_cancel()

    async def _failed(self, error: Exception) -> bytes:
        """Records a stream that failed on the way; the event that tells the client."""
        report(error, request_id=self._exchange.request.request_id)
        shown = api_error(error)
        reason = "key_revoked" if isinstance(error, KeyStoppedError) else end_reason(error)
        outcome = outcome_of(
            self._metered(partial=True),
            self._exchange.model,
            status=200,
            end_reason=reason,
            error=shown,
            ttft_ms=self._ttft_ms,
            attempts=self._exchange.attempts,
        )
        await asyncio.shield(self._exchange.ticket.settle(outcome))
        return error_event(shown)

    async def _settle(self, metered: Metered, reason: str, *, finish_reason: str) -> None:
        outcome = outcome_of(
            metered,
            self._exchange.model,
            status=200,
            end_reason=reason,
            finish_reason=finish_reason,
            ttft_ms=self._ttft_ms,
            attempts=self._exchange.attempts,
        )
        await asyncio.shield(self._exchange.ticket.settle(outcome))

    def _settle_gone(self) -> None:
        """The client left, or the worker stops: what was used until now is recorded, unwaited
        for.
        """
        gone = self._exchange.request.client_gone
        self._exchange.ticket.settle_nowait(
            outcome_of(
                self._metered(partial=True),
                self._exchange.model,
                status=200,
                end_reason="client_gone" if gone else "server_stopped",
                ttft_ms=self._ttft_ms,
                attempts=self._exchange.attempts,
            )
        )

    def used_so_far(self) -> Metered:
        return self._metered(partial=True)

    def _metered(self, *, partial: bool) -> Metered:
        return _metered(self._exchange, self._plan, self._chunks.machine, partial, self._answer)

    async def _close(self) -> None:
        if isinstance(self._answer, EventSource):
            await self._answer.aclose()


CHAT: Endpoint[ChatRequest, ChatPlan] = Endpoint(
    name="chat",
    read=chat_request.read,
    prepare=inline_pictures,
    plan=plan,
    most=most,
    whole=whole,
    streamed=streamed,
)


class ChatCompletionsView(GatewayView):
    async def post(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        return await pipeline.answer(CHAT, request, key)
