"""Refusals in upstream's own words, and the payload that is sent once more."""

from collections.abc import Iterator
from typing import Any

import pytest

from catalog import learnt
from catalog.classify.facts import ChatFacts
from catalog.snapshot import ModelRecord
from openai_api.chat_completions.repair import Repairs
from openai_api.chat_completions.request import read
from openai_api.chat_completions.translate import translate
from workers_ai.errors import BadInput, Refused
from workers_ai.failures.reader import refusal

MODEL = ModelRecord(
    "@cf/acme/m",
    context_window=24_000,
    endpoints=frozenset({"chat"}),
    chat=ChatFacts(dialect="openai", tools=True, json_mode=True),
)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
ENVELOPE = {"name": "thing", "strict": True, "schema": SCHEMA}


@pytest.fixture(autouse=True)
def nothing_is_learnt() -> Iterator[None]:
    learnt.forget()
    yield
    learnt.forget()


def repairs(*, may_shrink: bool | None = None, **fields: Any) -> Repairs:
    said = [{"role": "user", "content": "Hi"}]
    asked = read({"model": MODEL.name, "messages": said, **fields})
    plan = translate(asked, MODEL, default_max_tokens=None)
    return Repairs(
        plan.payload,
        asked,
        MODEL,
        limit_may_shrink=plan.limit_may_shrink if may_shrink is None else may_shrink,
    )


def refused(text: str, code: int = 8007, status: int = 400) -> BadInput:
    body = {"errors": [{"message": f"AiError: AiError: {text}", "code": code}], "success": False}
    error: Refused = refusal(body, status=status)
    assert isinstance(error, BadInput)
    return error


VLLM = (
    "This model's maximum context length is 24000 tokens. However, you requested {output} output "
    "tokens and your prompt contains {least}{prompt} input tokens, for a total of at least "
    "{total} tokens."
)


def too_long(prompt: int, output: int, least: str = "") -> BadInput:
    return refused(VLLM.format(prompt=prompt, output=output, total=prompt + output, least=least))


# --- Limits -------------------------------------------------------------------------------------


def test_the_limit_that_fits_is_sent_where_the_client_named_none() -> None:
    once = repairs()
    assert once.after(too_long(20_164, once.payload["max_tokens"]))
    assert 3_000 < once.payload["max_tokens"] <= 24_000 - 20_164


def test_a_prompt_that_was_not_counted_to_its_end_is_tried_with_less_and_less() -> None:
    once = repairs()
    sent = once.payload["max_tokens"]
    assert once.after(too_long(24_000 - sent + 1, sent, "at least "))
    second = once.payload["max_tokens"]
    assert second < sent // 3
    assert once.after(too_long(24_000 - second + 1, second, "at least "))
    third = once.payload["max_tokens"]
    assert once.after(too_long(24_000 - third + 1, third, "at least "))
    assert once.payload["max_tokens"] == 1
    assert not once.after(too_long(24_000, 1, "at least "))


def test_a_clients_own_limit_is_refused_as_it_asked() -> None:
    once = repairs(max_tokens=4_096)
    assert not once.after(too_long(20_164, 4_096))


def test_a_dialect_whose_answers_end_with_the_window_gets_what_is_left() -> None:
    once = repairs(max_tokens=32_000 // 2, may_shrink=True)
    assert once.after(
        refused(
            "The estimated number of input and maximum output tokens (35000) exceeded this model "
            "context window limit (24000).",
            5021,
            413,
        )
    )
    assert once.payload["max_tokens"] <= 24_000 - (35_000 - 16_000)


def test_a_prompt_that_fills_the_window_alone_is_too_long() -> None:
    assert not repairs().after(
        refused(
            "The input (30000 tokens) is longer than the model's context length (24000 tokens)."
        )
    )


def test_a_limit_above_what_the_model_can_give_is_lowered_and_remembered() -> None:
    once = repairs(max_tokens=20_000)
    words = (
        "max_completion_tokens is too large: 20000. This model supports at most 16000 completion "
        "tokens."
    )
    assert once.after(refused(words))
    assert once.payload["max_tokens"] == 16_000
    assert learnt.most_output_of(MODEL) == 16_000
    assert repairs().payload["max_tokens"] == 16_000


def test_a_smaller_window_than_the_catalogs_is_remembered_with_its_source() -> None:
    words = (
        "This model's maximum context length is 20000 tokens. However, you requested 24000 tokens"
    )
    once = repairs()
    once.after(refused(words))
    assert learnt.window_of(MODEL) == 20_000
    assert "20000" in learnt.of(MODEL.name).ceilings["context_window"].source
    assert repairs().payload["max_tokens"] < 20_000


# --- Schemas --------------------------------------------------------------------------------------


def test_the_envelope_is_sent_as_the_client_gave_it_and_remembered() -> None:
    wanted = {"type": "json_schema", "json_schema": ENVELOPE}
    once = repairs(response_format=wanted)
    assert once.payload["response_format"]["json_schema"] == SCHEMA
    assert once.after(
        refused("required properties at '/response_format/json_schema' are 'name'", 5006)
    )
    assert once.payload["response_format"]["json_schema"] == ENVELOPE
    assert not learnt.of(MODEL.name).habits
    once.helped()
    assert repairs(response_format=wanted).payload["response_format"]["json_schema"] == ENVELOPE


def test_json_object_becomes_a_schema() -> None:
    once = repairs(response_format={"type": "json_object"})
    assert once.after(
        refused(
            "invalid prompt: failed to parse prompt: unknown variant `json_object`, expected "
            "`json_schema` at line 1 column 4103",
            9015,
        )
    )
    assert once.payload["response_format"] == {
        "type": "json_schema",
        "json_schema": {"type": "object"},
    }


def test_a_schema_that_cannot_be_streamed_comes_whole() -> None:
    once = repairs(response_format={"type": "json_object"})
    assert not once.unstreamed
    assert once.after(refused("JSON Schema mode is not supported with stream mode", 5023))
    once.helped()
    assert once.unstreamed
    assert repairs(response_format={"type": "json_object"}).unstreamed
    assert not repairs().unstreamed


# --- Messages -------------------------------------------------------------------------------------

CALLS = [
    {"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for name in ("c1", "c2")
]
PARALLEL = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "I look.", "tool_calls": CALLS},
    {"role": "tool", "tool_call_id": "c1", "content": "one"},
    {"role": "tool", "tool_call_id": "c2", "content": "two"},
    {"role": "user", "content": "And?"},
]


def shape(messages: list[dict[str, Any]]) -> list[str]:
    return [
        message["role"]
        + "".join(f" {call['id']}" for call in message.get("tool_calls", ()))
        + (f" {message['tool_call_id']}" if message["role"] == "tool" else "")
        for message in messages
    ]


def test_parallel_calls_become_turns() -> None:
    once = repairs(messages=PARALLEL)
    assert once.after(refused("This model only supports single tool-calls at once!"))
    assert shape(once.payload["messages"]) == [
        *("user", "assistant c1", "tool c1", "assistant c2", "tool c2", "user"),
    ]
    once.helped()
    assert shape(repairs(messages=PARALLEL).payload["messages"])[1] == "assistant c1"


LATE = [
    {"role": "system", "content": "One."},
    {"role": "user", "content": "Hi"},
    {"role": "developer", "content": "Late."},
    {"role": "user", "content": "Go on"},
]


def test_a_late_system_message_is_said_by_the_user() -> None:
    once = repairs(messages=LATE)
    assert once.after(refused("System message must be at the beginning."))
    assert shape(once.payload["messages"]) == ["system", "user", "user", "user"]


def test_roles_that_must_alternate_are_joined() -> None:
    once = repairs(messages=LATE)
    assert once.after(refused("System message must be at the beginning."))
    assert once.after(
        refused("Conversation roles must alternate user/assistant/user/assistant/...")
    )
    assert shape(once.payload["messages"]) == ["system", "user"]
    assert once.payload["messages"][1]["content"] == "Hi\n\nLate.\n\nGo on"


def test_a_model_without_system_messages_reads_them_with_the_first_words() -> None:
    once = repairs(messages=LATE)
    assert once.after(refused("System role not supported"))
    assert shape(once.payload["messages"]) == ["user", "user"]
    assert once.payload["messages"][0]["content"] == "One.\n\nLate.\n\nHi"


# --- Fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "Unknown field 'top_k'",
        "Unrecognized request argument supplied: 'top_k'",
        "'top_k' is not supported by this model",
        "body.top_k: Extra inputs are not permitted",
    ],
)
def test_an_optional_field_that_is_unknown_is_left_out(words: str) -> None:
    once = repairs(top_k=5)
    assert once.after(refused(words))
    assert "top_k" not in once.payload


@pytest.mark.parametrize("field", ["tools", "messages", "response_format", "stop"])
def test_a_field_that_means_something_is_refused(field: str) -> None:
    once = repairs(stop=["x"])
    assert not once.after(refused(f"Unknown field '{field}'"))


# --- Bounds ---------------------------------------------------------------------------------------


def test_each_repair_is_tried_once() -> None:
    once = repairs(messages=LATE)
    words = "System message must be at the beginning."
    assert once.after(refused(words))
    assert not once.after(refused(words))
    assert not learnt.of(MODEL.name).habits


def test_what_no_repair_knows_is_refused() -> None:
    assert not repairs().after(refused("Your output has been flagged.", 3030))


# --- Fields and ids -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "Extra inputs are not permitted: body.top_k",
        "[{'type': 'extra_forbidden', 'loc': ('body', 'top_k'), 'msg': 'Extra inputs'}]",
        "Additional property top_k is not allowed",
        "property 'top_k' is unsupported",
        "Unrecognized request argument supplied: top_k",
        "Invalid input: top_k",
        'json: unknown field "top_k"',
        "top_k isn't supported by this model",
    ],
)
def test_an_unknown_field_is_found_in_any_sentence(words: str) -> None:
    once = repairs(top_k=5)
    assert once.after(refused(words))
    assert "top_k" not in once.payload


@pytest.mark.parametrize(
    "words",
    [
        "Unexpected role 'user'",
        "'/top_k' must be <= 50",
        "Unsupported value: 'n' must be 1",
        "unknown variant",
    ],
)
def test_other_refusals_drop_nothing(words: str) -> None:
    assert not repairs(top_k=5).after(refused(words))


@pytest.mark.parametrize(
    "words",
    [
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead.",
        "Invalid input: max_tokens",
    ],
)
def test_the_limit_goes_by_its_other_name(words: str) -> None:
    once = repairs(max_tokens=100)
    assert once.after(refused(words))
    assert once.payload["max_completion_tokens"] == 100
    assert "max_tokens" not in once.payload
    # … under which it is lowered as well.
    assert once.after(refused("max_completion_tokens: 100 > 50, which is the maximum"))
    assert once.payload["max_completion_tokens"] == 50


def test_a_late_system_message_after_a_user_is_the_users() -> None:
    said = [{"role": role, "content": role} for role in ("system", "user", "system", "user")]
    once = repairs(messages=said)
    assert once.after(refused("Unexpected role 'system' after role 'user'"))
    roles = [message["role"] for message in once.payload["messages"]]
    assert roles == ["system", "user", "user", "user"]


def test_ids_of_calls_become_nine_letters_with_their_results() -> None:
    call = {"id": "call_abc", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_abc", "content": "done"},
    ]
    once = repairs(messages=said)
    words = "Tool call id was call_abc but must be a-z, A-Z, 0-9, with a length of 9."
    assert once.after(refused(words))
    asked, answered = once.payload["messages"][1:]
    assert asked["tool_calls"][0]["id"] == answered["tool_call_id"]
    assert len(answered["tool_call_id"]) == 9 and answered["tool_call_id"].isalnum()
