"""OpenAI's published shapes of chat answers, written down as JSON Schema and closed.

Beside OpenAI's own there are `reasoning_content`, the name that clients know for thoughts, and the
usage's `cost`, OpenRouter's name.
"""

from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]


def closed(required: Schema, **optional: Any) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
NULL: Schema = {"type": "null"}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, NULL]}


FINISH_REASON: Schema = {
    "enum": ["stop", "length", "tool_calls", "content_filter", "function_call"]
}
LOGPROBS = closed({"content": nullable({"type": "array"}), "refusal": nullable({"type": "array"})})
USAGE = closed(
    {"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT},
    prompt_tokens_details=closed({"cached_tokens": COUNT}, audio_tokens=COUNT),
    completion_tokens_details=closed({"reasoning_tokens": COUNT}, audio_tokens=COUNT),
    cost={"type": "number", "minimum": 0},
)
FUNCTION = closed({"name": NAME, "arguments": TEXT})
TOOL_CALL = closed({"id": NAME, "type": {"const": "function"}, "function": FUNCTION})
MESSAGE = closed(
    {"role": {"const": "assistant"}, "content": nullable(TEXT), "refusal": nullable(TEXT)},
    reasoning_content=TEXT,
    tool_calls={"type": "array", "minItems": 1, "items": TOOL_CALL},
    function_call=FUNCTION,
)
COMPLETION = closed(
    {
        "id": {"type": "string", "pattern": "^chatcmpl-"},
        "object": {"const": "chat.completion"},
        "created": COUNT,
        "model": NAME,
        "choices": {
            "type": "array",
            "minItems": 1,
            "items": closed(
                {
                    "index": COUNT,
                    "message": MESSAGE,
                    "logprobs": nullable(LOGPROBS),
                    "finish_reason": FINISH_REASON,
                }
            ),
        },
        "usage": USAGE,
    }
)
DELTA = closed(
    {},
    role={"const": "assistant"},
    content=TEXT,
    refusal=TEXT,
    reasoning_content=TEXT,
    function_call=closed({}, name=NAME, arguments=TEXT),
    tool_calls={
        "type": "array",
        "minItems": 1,
        "items": closed(
            {"index": COUNT, "function": closed({}, name=NAME, arguments=TEXT)},
            id=NAME,
            type={"const": "function"},
        ),
    },
)
CHUNK = closed(
    {
        "id": {"type": "string", "pattern": "^chatcmpl-"},
        "object": {"const": "chat.completion.chunk"},
        "created": COUNT,
        "model": NAME,
        "choices": {
            "type": "array",
            "items": closed(
                {"index": COUNT, "delta": DELTA, "finish_reason": nullable(FINISH_REASON)},
                logprobs=nullable(LOGPROBS),
            ),
        },
    },
    usage=nullable(USAGE),
)
TEXT_CHOICE = {
    "text": TEXT,
    "index": COUNT,
    "logprobs": NULL,
    "finish_reason": {"enum": ["stop", "length", "content_filter"]},
}
TEXT_HEAD: Schema = {
    "id": {"type": "string", "pattern": "^cmpl-"},
    "object": {"const": "text_completion"},
    "created": COUNT,
    "model": NAME,
}
TEXT_COMPLETION = closed(
    {
        **TEXT_HEAD,
        "choices": {"type": "array", "minItems": 1, "items": closed(TEXT_CHOICE)},
        "usage": USAGE,
    }
)
TEXT_CHUNK_CHOICE = closed({**TEXT_CHOICE, "finish_reason": nullable(TEXT_CHOICE["finish_reason"])})
TEXT_CHUNK = closed(
    {**TEXT_HEAD, "choices": {"type": "array", "items": TEXT_CHUNK_CHOICE}},
    usage=nullable(USAGE),
)
ERROR = closed(
    {
        "error": closed(
            {
                "message": NAME,
                "type": NAME,
                "param": nullable(TEXT),
                "code": nullable(TEXT),
            }
        )
    }
)

_COMPLETION = Draft202012Validator(COMPLETION)
_CHUNK = Draft202012Validator(CHUNK)
_TEXT_COMPLETION = Draft202012Validator(TEXT_COMPLETION)
_TEXT_CHUNK = Draft202012Validator(TEXT_CHUNK)
_ERROR = Draft202012Validator(ERROR)


def assert_completion(body: Any) -> None:
    """`body` is a strict `chat.completion`."""
    _COMPLETION.validate(body)
    assert body["usage"]["total_tokens"] == (
        body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    )
    for choice in body["choices"]:
        calls = choice["message"].get("tool_calls")
        assert (choice["finish_reason"] == "tool_calls") == bool(calls)


def assert_text_completion(body: Any) -> None:
    """`body` is a strict `text_completion`."""
    _TEXT_COMPLETION.validate(body)
    assert [choice["index"] for choice in body["choices"]] == list(range(len(body["choices"])))


def assert_text_chunks(chunks: list[Any]) -> None:
    """`chunks` are strict, of one id, and end once; usage comes last, if at all."""
    for chunk in chunks:
        _TEXT_CHUNK.validate(chunk)
    for field in ("id", "created", "model"):
        assert len({chunk[field] for chunk in chunks}) == 1, f"{field} changes within the stream"
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [reason is not None for reason in reasons] == [False] * (len(reasons) - 1) + [True]
    counted = [number for number, chunk in enumerate(chunks) if chunk.get("usage")]
    assert counted in ([], [len(chunks) - 1]), "usage comes once, at the end"


def assert_error_body(body: Any) -> None:
    _ERROR.validate(body)


def assert_chunks(chunks: list[Any], *, finished: bool = True) -> None:
    """`chunks` are strict, and in the one order that strict clients take."""
    assert chunks
    for chunk in chunks:
        _CHUNK.validate(chunk)
    for field in ("id", "created", "model"):
        assert len({chunk[field] for chunk in chunks}) == 1, f"{field} changes within the stream"
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    for index in {choice["index"] for choice in choices}:
        _assert_choice([choice for choice in choices if choice["index"] == index], finished)
    counted = [number for number, chunk in enumerate(chunks) if chunk.get("usage")]
    assert counted in ([], [len(chunks) - 1]), "usage comes once, at the end"
    for number in counted:
        assert chunks[number]["choices"] == []


def _assert_choice(choices: list[Any], finished: bool) -> None:
    assert choices[0]["delta"].get("role") == "assistant", "the first delta has no role"
    assert all("role" not in choice["delta"] for choice in choices[1:]), "role comes twice"
    reasons = [choice["finish_reason"] for choice in choices]
    ends = [reason for reason in reasons if reason is not None]
    assert len(ends) == (1 if finished else 0), f"finish reasons {ends}"
    if finished:
        assert reasons[-1] is not None, "something follows the finish"
    calls: dict[int, Any] = {}
    for choice in choices:
        for part in choice["delta"].get("tool_calls", ()):
            if part["index"] in calls:
                assert "id" not in part and "name" not in part["function"], "a call starts twice"
            else:
                assert part["index"] == len(calls), "calls are numbered from 0 without gaps"
                assert part["id"] and part["type"] == "function" and part["function"]["name"]
                calls[part["index"]] = part
    ids = [part["id"] for part in calls.values()]
    assert len(set(ids)) == len(ids), "two calls have one id"
    if finished:
        # A call that the limit cut off ends with `length`.
        assert ends == ["length"] or (ends == ["tool_calls"]) == bool(calls)
