"""How an answer ended, in each dialect's words."""

from typing import Any

import orjson
import pytest

from openai_api.chat_completions.answer import dumps
from openai_api.chat_completions.normalise import ChatNormaliser, Expected
from openai_api.messages.normalise import message
from openai_api.messages.request import MessagesRequest
from openai_api.responses.normalise import response
from openai_api.responses.request import ResponsesRequest
from openai_api.use.usage import Usage
from tests.openai_api.event_rules import assert_message, assert_response

USED = Usage(prompt_tokens=20, completion_tokens=9, cached_tokens=5, reasoning_tokens=2)
CUT_CALL = {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a": "b'}}]}
WHOLE_CALL = {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a": 1}'}}]}


def answered(said: dict[str, Any], finish: str, used: Usage = USED, **more: Any) -> tuple[Any, Any]:
    """(response, message) of an answer that upstream gave whole."""
    choice = {"index": 0, "message": said, "finish_reason": finish, **more}
    normaliser = ChatNormaliser(Expected("m", max_tokens=100))
    deltas = normaliser.take_whole(orjson.dumps({"choices": [choice]})) + normaliser.end()
    asked = MessagesRequest("m", [], 100, stops=("END",), shows_thinking=True)
    # As it is written: parts of it are JSON already.
    responded = orjson.loads(dumps(response(ResponsesRequest("m", []), normaliser, deltas, used)))
    told = message(asked, normaliser, deltas, used)
    assert_response(responded)
    assert_message(told)
    return responded, told


@pytest.mark.parametrize(
    ("said", "finish", "more", "status", "stop_reason"),
    [
        ({"content": "Hi"}, "stop", {}, "completed", "end_turn"),
        ({"content": "Hi"}, "stop", {"stop_reason": "END"}, "completed", "stop_sequence"),
        ({"content": "Hi"}, "stop", {"matched_stop": "END"}, "completed", "stop_sequence"),
        ({"content": "Hi"}, "stop", {"matched_stop": 106}, "completed", "end_turn"),
        ({"content": "Hi"}, "stop", {"stop_reason": "other"}, "completed", "end_turn"),
        ({"content": "Hi"}, "length", {}, "incomplete", "max_tokens"),
        ({"content": "Hi"}, "content_filter", {}, "incomplete", "refusal"),
        (WHOLE_CALL, "tool_calls", {}, "completed", "tool_use"),
        (WHOLE_CALL, "length", {}, "completed", "tool_use"),
        (CUT_CALL, "length", {}, "incomplete", "max_tokens"),
        (CUT_CALL, "tool_calls", {}, "completed", "tool_use"),
    ],
)
def test_an_ending_has_its_word(
    said: dict[str, Any], finish: str, more: dict[str, Any], status: str, stop_reason: str
) -> None:
    responded, told = answered(said, finish, **more)
    assert responded["status"] == status
    assert [item["status"] for item in responded["output"]] == [status]
    assert told["stop_reason"] == stop_reason
    assert told["stop_sequence"] == ("END" if stop_reason == "stop_sequence" else None)


def test_usage_is_counted_as_each_dialect_does() -> None:
    responded, told = answered({"content": "Hi"}, "stop")
    assert responded["usage"] == {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 29,
    }
    assert told["usage"] == {
        "input_tokens": 15,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 5,
        "output_tokens": 9,
    }


def test_arguments_that_are_no_object_become_one() -> None:
    call = {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "[1]"}}]}
    _, told = answered(call, "tool_calls")
    assert told["content"][0]["input"] == {"arguments": [1]}


def test_a_refusal_is_told() -> None:
    responded, told = answered({"content": None, "refusal": "No."}, "stop")
    assert responded["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]
    assert told["content"] == [{"type": "text", "text": "No."}]


@pytest.mark.parametrize(("counted", "told"), [(None, 6), (2, 2), (0, 0)])
def test_tokens_of_thoughts_are_told_also_when_nobody_counted(
    counted: int | None, told: int
) -> None:
    used = Usage(prompt_tokens=20, completion_tokens=9, reasoning_tokens=counted)
    used = used.with_thoughts(8, of=12)
    responded, _ = answered({"reasoning_content": "hm" * 4, "content": "Hi!!"}, "stop", used)
    assert responded["usage"]["output_tokens_details"] == {"reasoning_tokens": told}


def test_log_probabilities_are_whole() -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": "Ho"}]}
    responded, _ = answered({"content": "Hi"}, "stop", logprobs={"content": [entry, 7]})
    [part] = responded["output"][0]["content"]
    other = {"token": "Ho", "logprob": -9999.0, "bytes": [72, 111]}
    assert part["logprobs"] == [{**entry, "bytes": [72, 105], "top_logprobs": [other]}]
