"""What single models insist on: requests in any other form are refused, as their servers do."""

import hashlib
from typing import Any

from workers_ai.simulator.calls import Call
from workers_ai.simulator.chat.templates import RULES, server_words
from workers_ai.simulator.replies import AnyReply, Reply, bare, failure, model_message
from workers_ai.simulator.scenarios.registry import Params, Proceed, scenario

CJK_FROM = 0x2E80


def tokens_of(text: str) -> int:
    """As a tokenizer of many languages counts: a CJK character each, four others together."""
    dense = sum(1 for character in text if ord(character) >= CJK_FROM)
    return dense + (len(text) - dense + 3) // 4


@scenario(
    "batch-tokens",
    "an embedding model that takes only so many tokens in one run",
    "16.2",
    tokens=60000,
)
async def batch_tokens(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    texts: Any = call.json_object().get("text")
    asked = sum(tokens_of(text) for text in texts) if isinstance(texts, list) else 0
    most = params.count("tokens")
    if asked <= most:
        return await proceed()
    words = f"AiError: Max context reached {asked} tokens but model supports only {most}"
    return failure(400, 3030, model_message(words))


# --- Chat templates and servers -------------------------------------------------------------------


def _server_says(words: str) -> Reply:
    """The inference server's refusal, as text in the envelope."""
    return failure(400, 8007, server_words(words))


def _messages(call: Call) -> list[dict[str, Any]]:
    given = call.json_object().get("messages")
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _ordered(rule: str, description: str) -> None:
    @scenario(rule, description, "16.10")
    async def ordered(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
        words = RULES[rule](_messages(call))
        return _server_says(words) if words else await proceed()


_ordered("system-first", "a template that takes one system message, at the beginning")
_ordered("no-system", "a template without a place for system messages")
_ordered("alternating", "a template whose turns must alternate")
_ordered("one-call", "a template that takes one tool call a turn")
_ordered("object-arguments", "a server that wants an object as the arguments of a call")
_ordered("short-ids", "a template that takes ids of nine letters and digits only")


@scenario("no-schema-stream", "JSON schemas without streaming only", "16.2")
async def no_schema_stream(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    body = call.json_object()
    if body.get("stream") and (body.get("response_format") or body.get("guided_json")):
        return failure(
            400, 5023, model_message("JSON Schema mode is not supported with stream mode")
        )
    return await proceed()


@scenario("no-json-object", "JSON mode by a schema only", "16.2")
async def no_json_object(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    wanted = call.json_object().get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_object":
        return failure(
            400,
            9015,
            model_message(
                "invalid prompt: failed to parse prompt: unknown variant `json_object`, expected "
                "`json_schema` at line 1 column 4103"
            ),
        )
    return await proceed()


@scenario("json-model-403", "HTTP 403 for an answer that missed its schema, once", "16.2")
async def json_model_403(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    wanted = call.json_object().get("response_format")
    if wanted and _first_time(call, "json-model-403"):
        return failure(403, 5024, model_message("JSON Model couldn't be met"))
    return await proceed()


@scenario("lost-header", "gpt-oss writes a header that its server cannot read, once", "16.2")
async def lost_header(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    if _first_time(call, "lost-header"):
        said = {
            "error": {
                "message": "Unknown recipient: <|constrain|>get_weather",
                "type": "invalid_prompt",
            }
        }
        return bare(said, 400)
    return await proceed()


@scenario("window", "a context window, counted exactly", "16.3", tokens=24000, form="vllm")
async def window(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    body = call.json_object()
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or 256
    prompt = sum(tokens_of(str(message.get("content") or "")) for message in _messages(call))
    most = params.count("tokens")
    if prompt + limit <= most:
        return await proceed()
    if params["form"] == "cloudflare":
        words = (
            f"The estimated number of input and maximum output tokens ({prompt + limit}) exceeded "
            f"this model context window limit ({most})."
        )
        return failure(413, 5021, model_message(words))
    if params["form"] == "sglang":
        return _server_says(
            f"Requested token count exceeds the model's maximum context length of {most} tokens. "
            f"You requested a total of {prompt + limit} tokens: {prompt} tokens from the input "
            f"messages and {limit} tokens for the completion."
        )
    return _server_says(
        f"This model's maximum context length is {most} tokens. However, you requested {limit} "
        f"output tokens and your prompt contains {prompt} input tokens, for a total of "
        f"{prompt + limit} tokens. Please reduce the length of the input prompt or the number of "
        f"requested output tokens. (parameter=input_tokens, value={prompt})"
    )


@scenario("output-ceiling", "a limit on the output alone", "16.3", tokens=1000)
async def output_ceiling(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    body = call.json_object()
    limit, most = body.get("max_tokens") or 0, params.count("tokens")
    if limit <= most:
        return await proceed()
    return _server_says(
        f"max_completion_tokens is too large: {limit}. This model supports at most {most} "
        "completion tokens."
    )


@scenario("unknown-field", "a server that refuses a field it does not know", "16.2", field="top_k")
async def unknown_field(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    if params["field"] in call.json_object():
        return _server_says(f"Unrecognized request argument supplied: '{params['field']}'")
    return await proceed()


def _first_time(call: Call, name: str) -> bool:
    """Whether this body comes for the first time."""
    key = f"{name}:" + hashlib.sha256(call.body).hexdigest()
    if call.world.failures.pop(key, 0):
        return False
    call.world.failures[key] = 1
    while len(call.world.failures) > 1000:
        call.world.failures.popitem(last=False)
    return True


@scenario("access-granted", "an account that may use models whose access is by form", "16.6")
async def access_granted(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    call.world.admitted.add(call.model or str(call.json_object().get("model")))
    return await proceed()
