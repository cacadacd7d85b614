"""Streams that do not end as OpenAI's do: no finish, no [DONE], an error, no stream at all."""

from collections.abc import AsyncIterator

import orjson

from workers_ai.simulator.calls import Call
from workers_ai.simulator.replies import AnyReply, Reply, StreamReply, bare, success
from workers_ai.simulator.scenarios import chunks
from workers_ai.simulator.scenarios.chunks import (
    DONE,
    TRAILING_USAGE,
    USAGE,
    chunk,
    content,
    ending,
    role,
)
from workers_ai.simulator.scenarios.registry import (
    Params,
    Proceed,
    UnknownScenario,
    scenario,
    wire,
)


@wire("finish-reason", "a finish_reason that OpenAI does not have", "8.19", value="model_length")
def finish_reason(model: str, params: Params) -> list[str]:
    return [role(model), *content(model, "Hi", "!"), *ending(model, params["value"])]


@wire("no-finish-reason", "no finish_reason at all, then [DONE]", "8.19")
def no_finish_reason(model: str, _params: Params) -> list[str]:
    return [role(model), *content(model, "Hi", "!"), TRAILING_USAGE, DONE]


@wire("finish-on-usage", "finish_reason only on the chunk with the usage", "8.19")
def finish_on_usage(model: str, _params: Params) -> list[str]:
    last = chunk(model, "{}", '"stop"', more=f',"usage":{USAGE}')
    return [role(model), *content(model, "Hi", "!"), last, DONE]


@wire("two-finishes", "two finish chunks; the last one counts (length)", "8.19")
def two_finishes(model: str, _params: Params) -> list[str]:
    first = chunks.finish(model, "stop")
    return [role(model), *content(model, "Hi", "!"), first, *ending(model, "length")]


@wire("no-done", "a finish_reason and no [DONE]: a whole answer", "8.20")
def no_done(model: str, _params: Params) -> list[str]:
    return [role(model), *content(model, "Hi", "!"), chunks.finish(model), TRAILING_USAGE]


@wire("cut-without-finish", "ends with neither finish_reason nor [DONE]: cut off", "8.20")
def cut_without_finish(model: str, _params: Params) -> list[str]:
    return [role(model), *content(model, "Hi", ", I was just")]


@wire("only-done", "[DONE] and nothing else", "8.20")
def only_done(_model: str, _params: Params) -> list[str]:
    return [DONE]


@wire("double-done", "[DONE] twice, and the usage between them", "8.20")
def double_done(model: str, _params: Params) -> list[str]:
    texts = content(model, "Hi", "!")
    return [role(model), *texts, chunks.finish(model), DONE, TRAILING_USAGE, DONE]


@scenario(
    "cut-after-end", "a broken connection after the finish, or after [DONE]", "8.20", after="DONE"
)
async def cut_after_end(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    if params["after"] not in ("finish", "DONE"):
        raise UnknownScenario("after is finish or DONE")
    reply = await proceed()
    if isinstance(reply, StreamReply):
        model = call.model or "@cf/unnamed"
        lines = [role(model), *content(model, "Hi", "!"), *ending(model)]
        reply.pieces = _lines(lines if params["after"] == "DONE" else lines[:-2])
        reply.broken = True
    return reply


async def _lines(lines: list[str]) -> AsyncIterator[bytes]:
    for line in lines:
        yield f"data: {line}\n\n".encode()


@scenario(
    "wrong-content-type",
    "a stream under another content type, or a whole answer as a stream",
    "8.21",
    type="application/json",
)
async def wrong_content_type(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    reply = await proceed()
    if isinstance(reply, StreamReply):
        reply.content_type = params["type"]
        return reply
    if not isinstance(reply, Reply) or reply.status != 200:
        return reply
    model = call.model or "@cf/unnamed"
    lines = [role(model), *content(model, "Hi", "!"), *ending(model)]
    return StreamReply(_lines(lines), content_type=params["type"])


_ERROR_LINES = {
    "error": '{"error":{"message":"AiError: Inference upstream error","code":8008}}',
    "errors": '{"errors":[{"message":"AiError: Inference upstream error","code":8008}],'
    '"success":false,"result":{},"messages":[]}',
}


@scenario("error-event", "an error in the stream: error, errors or event", "8.22", form="error")
async def error_event(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    form = params["form"]
    if form not in ("error", "errors", "event"):
        raise UnknownScenario("form is error, errors or event")
    reply = await proceed()
    if isinstance(reply, StreamReply):
        reply.pieces = _with_error(call.model or "@cf/unnamed", form)
    return reply


async def _with_error(model: str, form: str) -> AsyncIterator[bytes]:
    for line in (role(model), *content(model, "Hi", ", I was")):
        yield f"data: {line}\n\n".encode()
    if form == "event":
        yield b'event: error\ndata: {"message":"Inference upstream error"}\n\n'
    else:
        yield f"data: {_ERROR_LINES[form]}\n\n".encode()


@scenario(
    "json-for-stream",
    "a stream that is answered in JSON: completion, legacy or empty",
    "8.21",
    shape="completion",
)
async def json_for_stream(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    shape = params["shape"]
    if shape not in ("completion", "legacy", "empty"):
        raise UnknownScenario("shape is completion, legacy or empty")
    reply = await proceed()
    if not isinstance(reply, StreamReply):
        return reply
    usage = orjson.loads(USAGE)
    if shape == "empty":
        return success({})
    if shape == "legacy":
        return success({"response": "Not a stream.", "tool_calls": [], "usage": usage})
    message = {"role": "assistant", "content": "Not a stream."}
    return bare(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1788378160,
            "model": call.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": usage,
        }
    )
