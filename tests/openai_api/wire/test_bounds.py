"""What a request may hold, whatever its bytes: values, entries, unknown fields, and its errors."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from openai_api.chat_completions.request import read as read_chat
from openai_api.errors import ApiError, BadRequest, TooManyValues
from openai_api.messages.request import read_prompt
from openai_api.responses.request import read as read_response
from openai_api.wire import bounds
from openai_api.wire.bounds import MOST_MESSAGES, MOST_PARTS, MOST_TOOLS, MOST_VALUES, check_length
from openai_api.wire.fields import json_object, wrong_value
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess

USER = {"role": "user", "content": "Hi"}
TEXT = {"type": "text", "text": "a"}


def with_values(value: bytes, count: int) -> bytes:
    return b'{"model":"m","x":[' + b",".join([value] * count) + b"]}"


@pytest.mark.parametrize("value", [b"1", b"[]", b"{}", b'""', b'"a\\"b"', b'{"a":1}', b"[[1]]"])
def test_json_of_too_many_values_is_refused(value: bytes) -> None:
    assert json_object(with_values(value, MOST_VALUES // 4))
    with pytest.raises(TooManyValues, match="more than 100,000 values"):
        json_object(with_values(value, MOST_VALUES))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_values_in_objects_of_numbers_alone_count_too(size: int) -> None:
    """The garbage collector looks into no such object."""
    value = orjson.dumps(dict.fromkeys("abc"[:size], 1))
    body = with_values(value, MOST_VALUES // (size + 1) + 1)
    assert len(body) < 512 * 1024
    with pytest.raises(TooManyValues, match="more than 100,000 values"):
        json_object(body)
    assert json_object(with_values(value, MOST_VALUES // (size + 1) - 10))


@pytest.mark.parametrize("value", [b"[]", b'{"a":1}', b"[[1]]"])
def test_much_json_of_too_many_values_is_refused_before_it_is_parsed(value: bytes) -> None:
    with pytest.raises(TooManyValues, match="more than 100,000 values"):
        check_length(with_values(value, 2 * MOST_VALUES))


@pytest.mark.parametrize("count", [MOST_VALUES // 2, MOST_VALUES * 4])
def test_values_that_are_known_beside_a_body_count_with_its_own(count: int) -> None:
    body = with_values(b"1", count)
    with pytest.raises(TooManyValues, match="more than 100,000 values"):
        json_object(body, values_beside=MOST_VALUES // 2)
    assert json_object(with_values(b"1", count // 10), values_beside=MOST_VALUES // 2)


@pytest.mark.parametrize("text", ["a, [b], {c}", 'say "[,]" ', "\\, ", '\\",', "[[[[,,,,"])
def test_separators_within_texts_are_no_values(text: str) -> None:
    body = orjson.dumps({"messages": [{"role": "user", "content": text * 300_000}]})
    assert json_object(body)


def test_what_is_far_beyond_the_bound_costs_no_more_than_what_is_just_beyond() -> None:
    def seconds(count: int) -> float:
        body = with_values(b"[]", count)
        began = time.process_time()
        with pytest.raises(TooManyValues):
            json_object(body)
        return time.process_time() - began

    few, many = (min(seconds(count) for _ in range(3)) for count in (400_000, 8_000_000))
    assert many < 4 * few + 0.02


@pytest.mark.parametrize("path", ["chat/completions", "messages/count_tokens", "embeddings"])
def test_every_endpoint_refuses_too_many_values(gateway: GatewayProcess, path: str) -> None:
    response = httpx.post(
        f"{gateway.url}/v1/{path}",
        content=with_values(b"[]", 2_000_000),
        headers={"authorization": f"Bearer {gateway.issue_key()}"},
        timeout=30,
    )
    if path.startswith("messages"):
        assert response.status_code == 413
        assert "more than 100,000 values" in response.json()["error"]["message"]
    else:
        error = assert_openai_error(response, 413, code="request_too_large")
        assert "more than 100,000 values" in error["message"]


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("read", "body", "param"),
    [
        (read_chat, {"messages": [USER] * (MOST_MESSAGES + 1)}, "messages"),
        (
            read_chat,
            {"messages": [{"role": "user", "content": [TEXT] * (MOST_PARTS + 1)}]},
            "messages[0].content",
        ),
        (
            read_chat,
            {"messages": [{"role": "assistant", "tool_calls": [CALL] * (MOST_TOOLS + 1)}]},
            "messages[0].tool_calls",
        ),
        (read_chat, {"messages": [USER], "tools": [TOOL] * (MOST_TOOLS + 1)}, "tools"),
        (read_chat, {"messages": [USER], "functions": [{}] * (MOST_TOOLS + 1)}, "functions"),
        (read_prompt, {"messages": [USER] * (MOST_MESSAGES + 1)}, "messages"),
        (read_prompt, {"messages": [USER], "system": [TEXT] * (MOST_PARTS + 1)}, "system"),
        (
            read_prompt,
            {"messages": [{"role": "user", "content": [TEXT] * (MOST_PARTS + 1)}]},
            "messages[0].content",
        ),
        (read_prompt, {"messages": [USER], "tools": [{}] * (MOST_TOOLS + 1)}, "tools"),
        (read_response, {"input": [USER] * (MOST_MESSAGES + 1)}, "input"),
        (
            read_response,
            {"input": [{"role": "user", "content": [TEXT] * (MOST_PARTS + 1)}]},
            "input[0].content",
        ),
        (
            read_response,
            {"input": [{"type": "reasoning", "summary": [TEXT] * (MOST_PARTS + 1)}]},
            "input[0].summary",
        ),
        (read_response, {"input": "Hi", "tools": [{}] * (MOST_TOOLS + 1)}, "tools"),
    ],
)
def test_a_list_with_too_many_entries_is_named(read: Any, body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest, match="array too long") as refused:
        read({"model": "m", **body})
    assert refused.value.param == param
    assert refused.value.code == "array_above_max_length"


@pytest.mark.parametrize(
    "value", ["a" * 20_000, ["a"] * 20_000, [[]] * 20_000, {"a" * 20_000: 1}, [{"b": [1] * 20_000}]]
)
def test_unknown_fields_may_be_small_only(value: Any) -> None:
    assert read_chat({"model": "m", "messages": [USER], "x": {"a": [1, 2]}}).settings == {
        "x": {"a": [1, 2]}
    }
    for read, body in (
        (read_chat, {"messages": [USER]}),
        (read_response, {"input": "Hi"}),
    ):
        with pytest.raises(BadRequest, match="Unknown parameter: 'x'") as refused:
            read({"model": "m", **body, "x": value})
        assert refused.value.param == "x"


@pytest.mark.parametrize(
    ("make", "start"),
    [
        (lambda: "a" * 10_000_000, "'aaa"),
        (lambda: [1] * 5_000_000, "[1, 1, "),
        (lambda: [["a" * 1000] * 1000] * 1000, "[['aaa"),
        (lambda: dict.fromkeys(map(str, range(1_000_000))), "{'0': None, "),
    ],
)
def test_an_error_shows_the_beginning_of_a_huge_value_at_no_cost(
    make: Callable[[], Any], start: str
) -> None:
    value = make()
    began = time.process_time()
    message = wrong_value("role", "'user'", value).message
    assert time.process_time() - began < 0.02
    assert f"but got {start}" in message
    assert message.endswith("….")
    assert len(message) < 200


def test_small_values_are_shown_whole() -> None:
    for value in ("a", 1, None, 0.5, True, ["a", {"b": [1, None]}], {"a": "b"}):
        assert bounds.shown(value, 60) == repr(value)


def test_no_error_repeats_megabytes() -> None:
    error = ApiError("a" * 10_000_000, param="b" * 10_000_000)
    assert len(error.body()) < 5_000
