"""Answers that are not streamed and differ from the usual one in a single respect."""

import base64
from dataclasses import replace
from typing import Any

import orjson

from workers_ai.simulator.calls import Call
from workers_ai.simulator.replies import AnyReply, Reply, StreamReply, bare, success
from workers_ai.simulator.scenarios.registry import (
    Params,
    Proceed,
    UnknownScenario,
    scenario,
    whole,
)


@whole("envelope", "an envelope where there is none, and none where there is one", "9.1")
def envelope(data: Any, _params: Params) -> Any:
    if isinstance(data, dict) and "result" in data and "success" in data:
        return data["result"]
    return {"result": data, "success": True, "errors": [], "messages": []}


_ODD_RESPONSES: dict[str, Any] = {
    "number": 155724,
    "float": 0.5,
    "bool": True,
    "null": None,
    "object": {"answer": "forty-two", "certain": True},
    "list": ["forty", "two"],
}


@whole("odd-response", "`response` is a number, bool, null, object or list", "9.2", value="number")
def odd_response(data: Any, params: Params) -> Any:
    if params["value"] not in _ODD_RESPONSES:
        raise UnknownScenario(f"value is one of {', '.join(_ODD_RESPONSES)}")
    inner = _inner(data)
    return {
        "result": {
            "response": _ODD_RESPONSES[params["value"]],
            "tool_calls": [],
            "usage": inner.get("usage", {}),
        },
        "success": True,
        "errors": [],
        "messages": [],
    }


@whole("null-content", "content null beside `reasoning`, and null extras, as nemotron's", "9.3")
def null_content(data: Any, _params: Params) -> Any:
    for message in _messages(data):
        message["reasoning"] = message.pop("content", None) or "Nothing to say."
        message.pop("reasoning_content", None)
        extras = ("content", "refusal", "annotations", "audio", "function_call")
        message.update(dict.fromkeys(extras), tool_calls=[])
    for choice in choices_of(data):
        choice.update(stop_reason=None, token_ids=None)
    return data


@whole(
    "object-content", "content is an object, as in JSON mode of some models", "9.4", shape="object"
)
def object_content(data: Any, params: Params) -> Any:
    for message in _messages(data):
        value = {"answer": message.get("content")}
        message["content"] = [value] if params["shape"] == "list" else value
    return data


@whole("no-finish-reason", facts="9.6")
def no_finish_reason(data: Any, _params: Params) -> Any:
    for choice in choices_of(data):
        choice.pop("finish_reason", None)
    return data


@whole(
    "extra-fields", "`matched_stop`, `prompt_logprobs` and more that OpenAI does not have", "9.6"
)
def extra_fields(data: Any, _params: Params) -> Any:
    for choice in choices_of(data):
        choice.update(matched_stop=106, stop_reason=None)
    if isinstance(data, dict):
        data.update(prompt_logprobs=None, kv_transfer_params=None)
    return data


@whole("no-usage", "an answer without usage", "9.7")
def no_usage(data: Any, _params: Params) -> Any:
    data.pop("usage", None)
    _inner(data).pop("usage", None)
    return data


@whole("zero-usage", "usage that is all noughts", "9.7")
def zero_usage(data: Any, _params: Params) -> Any:
    _inner(data)["usage"] = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return data


@whole("odd-ids", "a model with a suffix, an odd id, no `created`", "9.8")
def odd_ids(data: Any, _params: Params) -> Any:
    inner = _inner(data)
    inner["model"] = f"{inner.get('model', '@cf/unnamed')}-external"
    inner["id"] = "4bb2c0"
    inner.pop("created", None)
    return data


@whole("inline-think", facts="9.10")
def inline_think(data: Any, params: Params) -> Any:
    opening = "<think>\n" if params["opened"] == "yes" else ""
    for message in _messages(data):
        message["content"] = f"{opening}We need to answer.\n</think>\n\n{message.get('content')}"
    return data


@whole("reasoning-field")
def reasoning_field(data: Any, params: Params) -> Any:
    for message in _messages(data):
        message[params["field"]] = "We need to greet."
    return data


@whole("finish-reason")
def finish_reason(data: Any, params: Params) -> Any:
    for choice in choices_of(data):
        choice["finish_reason"] = params["value"]
    return data


@whole("reasoning-only")
def reasoning_only(data: Any, _params: Params) -> Any:
    for choice in choices_of(data):
        choice["finish_reason"] = "length"
        choice["message"].update(content="", reasoning_content="Let me see")
    return data


@scenario("lying-content-type", "the bytes are another kind than the header says", "9.12")
async def lying_content_type(_call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    if isinstance(reply, Reply) and reply.content_type.startswith("image/"):
        jpeg = reply.content_type == "image/jpeg"
        reply.content_type = "image/png" if jpeg else "image/jpeg"
    return reply


@scenario("data-uri-image", "base64 with a `data:` prefix in the JSON", "6")
async def data_uri_image(_call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    result = reply.data.get("result") if isinstance(reply, Reply) and reply.data else None
    if isinstance(result, dict) and isinstance(result.get("image"), str):
        result["image"] = "data:image/jpeg;base64," + result["image"]
        changed = bare(reply.data)  # type: ignore[union-attr]
        changed.headers = reply.headers  # type: ignore[union-attr]
        return changed
    return reply


@whole("verdict-as-text", "a guard's verdict as text although an object was asked for", "6")
def verdict_as_text(data: Any, _params: Params) -> Any:
    verdict = _inner(data).get("response")
    if isinstance(verdict, dict) and "safe" in verdict:
        found = ",".join(verdict["categories"])
        _inner(data)["response"] = "safe" if verdict["safe"] else f"\n\nunsafe\n{found}"
    return data


@scenario("other-audio-form", "speech in base64 where bytes are usual, and the other way", "6")
async def other_audio_form(_call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    if isinstance(reply, StreamReply):
        audio = b"".join([piece async for piece in reply.pieces])
        changed = success({"audio": base64.b64encode(audio).decode()})
        return replace(changed, headers=reply.headers)
    audio_text = _inner(reply.data).get("audio") if isinstance(reply, Reply) else None
    if isinstance(reply, Reply) and isinstance(audio_text, str):
        return Reply(200, base64.b64decode(audio_text), "audio/mpeg", reply.headers)
    return reply


@whole("text-only-transcript", "a transcript without words, segments, times and vtt", "6")
def text_only_transcript(data: Any, _params: Params) -> Any:
    inner = _inner(data)
    if "text" in inner:
        for name in ("transcription_info", "word_count", "words", "segments", "vtt"):
            inner.pop(name, None)
    for channel in inner.get("results", {}).get("channels", []):
        for alternative in channel["alternatives"]:
            alternative["words"] = []
    return data


@scenario("error-as-json", "an error in JSON where success would be bytes", "9.12")
async def error_as_json(_call: Call, _proceed: Proceed, _params: Params) -> AnyReply:
    body = {"errors": [{"message": "AiError: Internal server error", "code": "8005"}]}
    return Reply(500, orjson.dumps({**body, "success": False}), "application/octet-stream")


def _inner(data: Any) -> dict[str, Any]:
    """The model's own object, inside the envelope or bare."""
    inner = data.get("result", data) if isinstance(data, dict) else {}
    return inner if isinstance(inner, dict) else {}


def choices_of(data: Any) -> list[dict[str, Any]]:
    return _inner(data).get("choices") or []


def _messages(data: Any) -> list[dict[str, Any]]:
    return [choice["message"] for choice in choices_of(data)]
