"""Calls written as text although none was forced, and answers in JSON that are none."""

from typing import Any

import orjson
import pytest

from openai_api.chat_completions.normalise import ChatNormaliser, Expected
from openai_api.chat_completions.normalise.leaked_calls import may_become_call

TOOLS = frozenset({"get_weather", "get_time"})
EXPECTED = Expected("m", offered_tools=TOOLS)
CALL = '{"type": "function", "name": "get_weather", "parameters": {"city": "Oslo"}}'


def given(text: str, *, size: int, finish: str = "stop") -> tuple[ChatNormaliser, list[list[str]]]:
    """What each delta of so many characters brought, and the normaliser after its end."""
    normaliser = ChatNormaliser(EXPECTED)
    said = []
    for begin in range(0, len(text), size):
        chunk = {"choices": [{"index": 0, "delta": {"content": text[begin : begin + size]}}]}
        said.append(_texts(normaliser.take(("", orjson.dumps(chunk)))))
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    normaliser.take(("", orjson.dumps(end)))
    said.append(_texts(normaliser.end()))
    return normaliser, said


def _texts(deltas: list[Any]) -> list[str]:
    return [parts["content"] for _, parts, _ in deltas if "content" in parts]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    "text",
    [
        CALL,
        '{"name": "get_weather", "arguments": {"city": "Oslo"}}',
        '\n {"name":"get_weather","parameters":{"city":"Oslo"}}\n',
    ],
)
def test_an_answer_that_is_nothing_but_a_call_is_a_call(text: str, size: int) -> None:
    normaliser, said = given(text, size=size)
    assert normaliser.finish_reasons == {0: "tool_calls"}
    [call] = normaliser.choices[0].calls.whole()
    assert call["function"]["name"] == "get_weather"
    assert orjson.loads(call["function"]["arguments"]) == {"city": "Oslo"}
    assert not any(said)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "It is sunny.",
        '{"name": "Alice", "age": 5}',
        '{"city": "Oslo"}',
        '{"name": "get_weather"}',
        '{"name": "get_weather", "arguments": {}, "why": "it was asked for"}',
        f"I would call {CALL}",
        f"{CALL} and then wait.",
        '{"name": "get_weath',
    ],
)
def test_any_other_answer_stays_text(text: str, size: int) -> None:
    normaliser, said = given(text, size=size)
    assert normaliser.finish_reasons == {0: "stop"}
    assert "".join(piece for pieces in said for piece in pieces) == text


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("", True),
        (" \n", True),
        ("{", True),
        ('{ "na', True),
        ('{"name": "get_w', True),
        ('{"name": "get_weather", ', True),
        ('{"type":"func', True),
        ("H", False),
        ('{"a', False),
        ('{"name": "A', False),
        ('{"name": 5', False),
        ('{"type": "object"', False),
        ("[", False),
    ],
)
def test_only_the_beginning_of_a_call_is_held_back(text: str, held: bool) -> None:
    assert may_become_call(text, TOOLS) is held


def test_a_call_that_the_limit_cut_off_ends_with_length() -> None:
    normaliser = ChatNormaliser(EXPECTED)
    call = {
        "index": 0,
        "id": "c1",
        "function": {"name": "get_weather", "arguments": '{"city": "Os'},
    }
    delta = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    normaliser.take(("", orjson.dumps(delta)))
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
    normaliser.take(("", orjson.dumps(end)))
    normaliser.end()
    assert normaliser.finish_reasons == {0: "length"}


@pytest.mark.parametrize(
    ("content", "text"),
    [([], ""), (["Hello", " you"], "Hello you"), ([{"type": "text", "text": "Hi"}, "!"], "Hi!")],
)
def test_a_list_of_texts_is_their_text(content: Any, text: str) -> None:
    normaliser = ChatNormaliser(Expected("m"))
    delta = {"choices": [{"index": 0, "delta": {"content": content}}]}
    deltas = normaliser.take(("", orjson.dumps(delta)))
    assert "".join(_texts(deltas)) == text
