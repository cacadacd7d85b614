"""Ways to fail: error answers, silence, slowness, broken connections."""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import orjson

from workers_ai.simulator.calls import Call
from workers_ai.simulator.replies import (
    EVENT_STREAM,
    PLATFORM_CODES,
    AnyReply,
    NoReply,
    Reply,
    StreamReply,
    failure,
    model_message,
    success,
)
from workers_ai.simulator.scenarios.registry import (
    Layer,
    Params,
    Proceed,
    UnknownScenario,
    bytewise,
    forever,
    scenario,
)

# Code → HTTP status and text, as published on the errors page or seen in answers.
ERRORS: dict[int, tuple[int, str]] = {
    3003: (400, "Request is missing headers or body: {what}"),
    3006: (413, "Request is too large"),
    3007: (408, "Request timeout"),
    3008: (408, "Request was aborted"),
    3010: (
        413,
        "The estimated number of input and maximum output tokens (35000) exceeded this model "
        "context window limit (24000).",
    ),
    3021: (429, "rate limiting: inference request per min rate reached"),
    3023: (403, "Service unavailable for account"),
    3030: (400, "Input prompt contains flagged content"),
    3036: (
        429,
        "you have used up your daily free allocation of 10,000 neurons, please upgrade to "
        "Cloudflare's Workers Paid plan if you would like to continue usage.",
    ),
    3039: (400, "Finetune is missing required files"),
    3040: (429, "Capacity temporarily exceeded, please try again."),
    3041: (403, "Account is not allowed to access this private model"),
    3042: (404, "Invalid model ID"),
    3046: (408, "Request timeout"),
    4006: (
        429,
        "you have used up your daily free allocation of 10,000 neurons, please upgrade to "
        "Cloudflare's Workers Paid plan if you would like to continue usage.",
    ),
    5004: (400, "Invalid data type for base64 input"),
    5005: (405, "Model doesn't support LoRA"),
    5006: (400, "Bad input: Error: '/temperature' must be <= 5"),
    5007: (400, "No such model or task"),
    5016: (403, "Model Agreement: submit the prompt 'agree' first"),
    5018: (403, "Account is not allowed to access this private model"),
    5019: (405, "Deprecated SDK version"),
    5021: (
        413,
        "The estimated number of input and maximum output tokens (35000) exceeded this model "
        "context window limit (24000).",
    ),
    5028: (410, "Model has been deprecated and removed"),
    5035: (403, "This model requires the Workers Paid plan"),
    7000: (500, "No route for that URI"),
    7001: (405, "POST not supported for requested URI."),
    7003: (404, "Could not route to the resource, perhaps your object identifier is invalid?"),
    7009: (503, "Upstream service unavailable"),
    8001: (400, "Invalid input"),
    8005: (500, "Internal server error"),
    8006: (400, "Invalid data for image - reason invalid base64 encoding"),
    8008: (500, "Inference upstream error"),
    9106: (400, "Authentication failed (status: 400)"),
    9109: (403, "Unauthorized to access requested resource"),
    10000: (401, "Authentication error"),
    2001: (400, "Please configure AI Gateway in the Cloudflare dashboard"),
    2008: (400, "Invalid provider"),
}


def error_reply(code: int, **headers: str) -> Reply:
    status, text = ERRORS[code]
    return failure(status, code, text if code in PLATFORM_CODES else model_message(text), **headers)


def _register_error(code: int) -> None:
    status, text = ERRORS[code]

    async def layer(_call: Call, _proceed: Proceed, _params: Params) -> AnyReply:
        return error_reply(code)

    registered: Layer = layer
    scenario(f"error-{code}", f"HTTP {status} with code {code}: {text[:60].rstrip()}", "2")(
        registered
    )


for _code in sorted(ERRORS):
    _register_error(_code)


@scenario("error", "any error", "2", code=8008, status=500, message="Something went wrong")
async def error(_call: Call, _proceed: Proceed, params: Params) -> AnyReply:
    return failure(params.count("status"), params.count("code"), model_message(params["message"]))


@scenario("insufficient-balance", "HTTP 402 of a model without prepaid credits", "2")
async def insufficient_balance(_call: Call, _proceed: Proceed, _params: Params) -> AnyReply:
    return failure(402, 0, "Insufficient balance; add money to your gateway or use BYOK")


@scenario("semantic-422", "HTTP 422 for a body that fits the schema and makes no sense", "2")
async def semantic(_call: Call, _proceed: Proceed, _params: Params) -> AnyReply:
    return failure(422, 5006, model_message("Bad input: questions cannot be answered"))


@scenario("error-object", "an error whose `errors` is one object and whose `result` is null", "1")
async def error_object(_call: Call, _proceed: Proceed, _params: Params) -> AnyReply:
    reply = error_reply(3040)
    reply.data["errors"] = reply.data["errors"][0]
    reply.data["errors"]["code"] = str(reply.data["errors"]["code"])
    reply.data["result"] = None
    return _encoded_again(reply)


def _encoded_again(reply: Reply) -> Reply:
    reply.body = orjson.dumps(reply.data)
    return reply


@scenario("busy-429-retry-after", "HTTP 429 with code 3040 and a Retry-After", "2", seconds=1)
async def busy_retry_after(_call: Call, _proceed: Proceed, params: Params) -> AnyReply:
    return error_reply(3040, retry_after=params["seconds"])


@scenario(
    "busy", "no capacity: waits in a queue, or 3040 at once with rejectIfBusy", "3", seconds=3
)
async def busy(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    options = call.json_object().get("options") if call.content_type == "application/json" else {}
    if isinstance(options, dict) and options.get("rejectIfBusy"):
        return error_reply(3040)
    await asyncio.sleep(params.number("seconds"))
    return await proceed()


@scenario("flaky", "fails so many times for the same body, then works", times=2, code=3040)
async def flaky(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    if _still_fails(call, params.count("times")):
        return _known_error(params.count("code"))
    return await proceed()


def _still_fails(call: Call, times: int) -> bool:
    """Whether the same body has failed less often than that."""
    key = "flaky:" + hashlib.sha256(call.route.encode() + call.body).hexdigest()
    failures = call.world.failures
    seen = failures.get(key, 0)
    if seen >= times:
        failures.pop(key, None)
        return False
    failures[key] = seen + 1
    while len(failures) > 1000:
        failures.popitem(last=False)
    return True


@scenario(
    "error-in-200",
    "HTTP 200, and an error in place of the answer or of a stream's first event: data or event",
    code=3040,
    times=0,
    form="data",
)
async def error_in_200(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    form, times = params["form"], params.count("times")
    if form not in ("data", "event"):
        raise UnknownScenario("form is data or event")
    reply = await proceed()
    if times and not _still_fails(call, times):
        return reply
    failed = _known_error(params.count("code"))
    if not isinstance(reply, StreamReply):
        # As a Worker answers that names no type.
        return Reply(200, failed.body, "text/plain;charset=UTF-8")
    if reply.content_type != EVENT_STREAM:
        return Reply(200, failed.body, reply.content_type)
    reply.pieces = _one_event("event: error\n" if form == "event" else "", failed.body)
    return reply


async def _one_event(name: str, data: bytes) -> AsyncIterator[bytes]:
    yield name.encode() + b"data: " + data + b"\n\n"


@scenario(
    "account-rate",
    "3021 beyond so many requests of a model and account in 60 s",
    "3",
    per_minute=20,
)
async def account_rate(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    now = time.monotonic()
    taken = call.world.taken.setdefault((call.account, call.named_model), deque())
    while taken and taken[0] <= now - 60:
        taken.popleft()
    if len(taken) >= params.count("per_minute"):
        return error_reply(3021)
    taken.append(now)
    return await proceed()


def _known_error(code: int) -> Reply:
    if code not in ERRORS:
        raise UnknownScenario(f"code={code} is none of the known ones: {sorted(ERRORS)}")
    return error_reply(code)


@scenario("empty-success", "`success: true` around nothing", "9.9")
async def empty_success(_call: Call, _proceed: Proceed, _params: Params) -> AnyReply:
    return success({})


@scenario("empty-success-once", "`success: true` around nothing, then a real answer", "9.9")
async def empty_success_once(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    key = "empty:" + hashlib.sha256(call.body).hexdigest()
    if call.world.failures.pop(key, 0):
        return await proceed()
    call.world.failures[key] = 1
    return success({})


@scenario("html-502", "a 502 page in HTML, as a proxy in between makes it")
async def html_502(_call: Call, _proceed: Proceed, _params: Params) -> AnyReply:
    page = (
        b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>502</body></html>"
    )
    return Reply(502, page, "text/html; charset=UTF-8")


@scenario("hang", "never answers, and never closes")
async def hang(_call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    await forever()
    return await proceed()


@scenario("endless", "an answer that does not end, whole or streamed", seconds=0.005)
async def endless(_call: Call, proceed: Proceed, params: Params) -> AnyReply:
    reply, pause_s = await proceed(), params.number("seconds")
    if isinstance(reply, StreamReply):
        reply.pieces = _repeating(reply.pieces, pause_s)
    elif isinstance(reply, Reply):
        return StreamReply(_growing(pause_s), reply.status, reply.content_type, reply.headers)
    return reply


async def _repeating(pieces: AsyncIterator[bytes], pause_s: float) -> AsyncIterator[bytes]:
    """The first two pieces, and the second again and again: a delta of text."""
    yield await anext(pieces)
    delta = await anext(pieces)
    while True:
        yield delta
        await asyncio.sleep(pause_s)


async def _growing(pause_s: float) -> AsyncIterator[bytes]:
    yield b'{"success": true, "result": {"response": "'
    while True:
        yield b"a" * 65_536
        await asyncio.sleep(pause_s)


@scenario("drop", "closes the connection without an answer")
async def drop(_call: Call, _proceed: Proceed, _params: Params) -> AnyReply:
    return NoReply()


@scenario("slow", "answers late, whole or streamed", seconds=2)
async def slow(_call: Call, proceed: Proceed, params: Params) -> AnyReply:
    await asyncio.sleep(params.number("seconds"))
    return await proceed()


@bytewise("slow-first-token", "headers at once, the first event late", "8.26", seconds=5)
async def slow_first_token(pieces: AsyncIterator[bytes], params: Params) -> AsyncIterator[bytes]:
    await asyncio.sleep(params.number("seconds"))
    async for piece in pieces:
        yield piece


@bytewise("slow-tokens", "a pause before each event", seconds=0.5)
async def slow_tokens(pieces: AsyncIterator[bytes], params: Params) -> AsyncIterator[bytes]:
    async for piece in pieces:
        await asyncio.sleep(params.number("seconds"))
        yield piece


@bytewise("stall", "goes silent for good after some events", after=3)
async def stall(pieces: AsyncIterator[bytes], params: Params) -> AsyncIterator[bytes]:
    left = params.count("after")
    async for piece in pieces:
        if not left:
            await forever()
        left -= 1
        yield piece


@scenario("cut-stream", "breaks the connection in the middle of an event", "8.22", after=3)
async def cut_stream(_call: Call, proceed: Proceed, params: Params) -> AnyReply:
    reply = await proceed()
    if not isinstance(reply, StreamReply):
        return NoReply()
    reply.pieces = _until_middle_of(reply.pieces, params.count("after"))
    reply.broken = True
    return reply


async def _until_middle_of(pieces: AsyncIterator[bytes], after: int) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if not after:
            yield piece[: len(piece) // 2]
            return
        after -= 1
        yield piece


@scenario("gateway-cache-hit", "the answer comes out of AI Gateway's cache, usage repeated", "13")
async def gateway_cache_hit(_call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    if not isinstance(reply, NoReply):
        reply.headers["cf-aig-cache-status"] = "HIT"
    return reply


@scenario("no-neurons-header", "an answer without `cf-ai-neurons`", "1")
async def no_neurons_header(_call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    if not isinstance(reply, NoReply):
        reply.headers.pop("cf-ai-neurons", None)
    return reply


@scenario("success-false", "HTTP 200, `success: false` and a filled `result`", "9.11")
async def success_false(_call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    result: Any = reply.data if isinstance(reply, Reply) else None
    filled = result.get("result", result) if isinstance(result, dict) else {"response": "{"}
    failed = failure(400, 5024, "JSON Mode couldn't be met", result=filled)
    failed.status = 200
    return failed


@scenario("json-mode-failed", "the model could not fit its answer to the schema", "2")
async def json_mode_failed(_call: Call, _proceed: Proceed, _params: Params) -> AnyReply:
    return failure(400, 5024, model_message("JSON Mode couldn't be met"))
