"""Upstream's events → strict chunks, for every departure from OpenAI's format that was seen.

The samples are wire data. Each says what a strict client gets: text, thoughts, calls, finish, usage.
"""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openai_api.chat_completions.answer import ChatStream, completion
from openai_api.chat_completions.answer import dumps as dump_body
from openai_api.chat_completions.normalise import ChatNormaliser, Expected
from tests.openai_api.chats import Streamed
from tests.openai_api.schemas import assert_chunks, assert_completion
from workers_ai.errors import (
    Refused,
    ServerFault,
    StreamCut,
    UnusableAnswer,
    WorkersAIError,
)
from workers_ai.sse import EventDecoder

MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
PLAIN = Expected(model=MODEL)
DONE = "[DONE]"
USAGE = '"usage":{"prompt_tokens":14,"completion_tokens":16,"total_tokens":30,"neurons":0.918}'
TRAILING = '{"response":"",' + USAGE + "}"


def delta(inner: str, finish: str = "null", more: str = "") -> str:
    return (
        '{"id":"id-1","object":"chat.completion.chunk","created":1,"model":"x","choices":'
        f'[{{"index":0,"delta":{inner},"finish_reason":{finish}}}]{more}}}'
    )


def said(*texts: str) -> list[str]:
    return [delta(f'{{"content":{json.dumps(text)}}}') for text in texts]


def scalars(*literals: str) -> list[str]:
    """Deltas whose content is this JSON."""
    return [delta(f'{{"content":{literal}}}') for literal in literals]


STOP = delta("{}", '"stop"')
ROLE = delta('{"role":"assistant","content":""}')


def wire(*lines: str) -> bytes:
    return b"".join(f"data: {line}\n\n".encode() for line in lines)


class Outcome(Streamed):
    """What a strict client makes of the chunks; `failure` is what ended them too early."""

    failure: WorkersAIError | None = None
    usage_seen: tuple[int | None, int | None] = (None, None)


def streamed(
    raw: bytes,
    expected: Expected = PLAIN,
    cuts: tuple[int, ...] = (),
    *,
    include_usage: bool = False,
) -> Outcome:
    """Runs the bytes, cut at `cuts`, through decoder and normaliser, and checks every chunk."""
    decoder, chunks = EventDecoder(), ChatStream(expected, include_usage=include_usage)
    outcome = Outcome(200, None)  # type: ignore[arg-type]
    places = sorted({0, *(min(cut, len(raw)) for cut in cuts), len(raw)})
    blocks = []
    try:
        for start, stop in zip(places, [*places[1:], len(raw)], strict=True):
            events = decoder.feed(raw[start:stop])
            if events:
                blocks.append(chunks.events(events))
        events = decoder.close()
        if events:
            blocks.append(chunks.events(events))
        blocks.append(chunks.end())
        blocks.append(chunks.last(chunks.normaliser.usage))
    except WorkersAIError as error:
        outcome.failure = error
    for _, data in EventDecoder().feed(b"".join(blocks)):
        if data == b"[DONE]":
            outcome.dones += 1
        else:
            assert not outcome.dones
            outcome.chunks.append(orjson.loads(data))
    assert outcome.dones == (0 if outcome.failure else 1)
    if outcome.chunks:
        assert_chunks(outcome.chunks, finished=outcome.failure is None)
    usage = chunks.normaliser.usage
    outcome.usage_seen = (usage.prompt_tokens, usage.completion_tokens)
    return outcome


def whole(body: Any, expected: Expected = PLAIN) -> dict[str, Any]:
    """A whole answer's one choice, checked to be strict."""
    normaliser = ChatNormaliser(expected)
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    deltas = normaliser.take_whole(content) + normaliser.end()
    made = completion(normaliser, deltas)
    made["usage"] = normaliser.usage.as_openai()
    made = orjson.loads(dump_body(made))
    assert_completion(made)
    choice: dict[str, Any] = made["choices"][0]
    return choice


# ruff: noqa: E501 - wire data stays in one piece.

# --- Streams ----------------------------------------------------------------------------------

# name: (lines, text, thoughts, calls, finish, usage)
Sample = tuple[list[str], str, str, list[tuple[str, str]], str, tuple[int | None, int | None]]

SAMPLES: dict[str, Sample] = {
    "1 legacy": (
        ['{"response":"Hello","p":"abdefg"}', '{"response":" world","tool_calls":[]}', TRAILING, DONE],
        "Hello world", "", [], "stop", (14, 16),
    ),
    "1 batched": (
        ['{"streamed_data":[{"response":"a","usage":{"prompt_tokens":1,"completion_tokens":1}},'
         '{"response":"b"}]}', DONE],
        "ab", "", [], "stop", (1, 1),
    ),
    "2 numbers": (
        [*scalars("6", '" "', "0.50", '" "', "3e+50", '" "', "-0"), STOP, DONE],
        "6 0.50 3e+50 -0", "", [], "stop", (None, None),
    ),
    "2 huge numbers": (
        [delta('{"content":123456789012345678901234567890}'), delta('{"content":1e999}'), STOP],
        "1234567890123456789012345678901e999", "", [], "stop", (None, None),
    ),
    "2 booleans and null": (
        [*scalars("true", "false", "null"), STOP, DONE],
        "truefalse", "", [], "stop", (None, None),
    ),
    "2 legacy numbers": (
        ['{"response":155724,"p":"ab"}', '{"response":0.10}', '{"response":null}', DONE],
        "1557240.10", "", [], "stop", (None, None),
    ),
    "3 and 4 no index": (
        ['{"choices":[{"delta":{"content":"**"}}]}', STOP, DONE],
        "**", "", [], "stop", (None, None),
    ),
    "5 changing id": (
        [delta('{"reasoning_content":"Hm"}').replace("id-1", "id-0"), *said("Yes"), STOP, DONE],
        "Yes", "Hm", [], "stop", (None, None),
    ),
    "6 increments": (
        [delta('{"role":"assistant","content":""}', more=',"usage":{"prompt_tokens":14,"completion_tokens":1}'),
         delta('{"content":"Hi"}', more=',"usage":{"prompt_tokens":0,"completion_tokens":1}'),
         delta("{}", '"stop"', more=',"usage":{"prompt_tokens":0,"completion_tokens":1}'), DONE],
        "Hi", "", [], "stop", (14, 3),
    ),
    "6 running totals": (
        [delta('{"content":"H"}', more=',"usage":{"prompt_tokens":13,"completion_tokens":3}'),
         delta('{"content":"i"}', '"stop"', ',"usage":{"prompt_tokens":13,"completion_tokens":4}'),
         DONE],
        "Hi", "", [], "stop", (13, 4),
    ),
    "7 trailing usage without choices": ([*said("Hi"), STOP, TRAILING, DONE], "Hi", "", [], "stop", (14, 16)),
    "8 empty choices and trailing usage": (
        [*said("Hi"), STOP, '{"choices":[],"id":"4bb2c0","p":"36",' + USAGE + "}", TRAILING, DONE],
        "Hi", "", [], "stop", (14, 16),
    ),
    "9 sglang": (
        ['{"choices":[{"delta":{"content":"","reasoning_content":null,"role":"assistant"},'
         '"finish_reason":null,"index":0,"logprobs":null,"matched_stop":null}]}',
         '{"choices":[{"delta":{"content":"Hi"},"finish_reason":null,"index":0,"matched_stop":null}]}',
         '{"choices":[{"delta":{"reasoning_content":null},"finish_reason":"stop","index":0,'
         '"logprobs":null,"matched_stop":106}]}', DONE],
        "Hi", "", [], "stop", (None, None),
    ),
    "10 reasoning": (
        [delta('{"reasoning":"We need"}'), delta('{"reasoning_content":" this"}'), *said("Hi"), STOP],
        "Hi", "We need this", [], "stop", (None, None),
    ),
    "10 both fields": (
        [delta('{"reasoning":"Hm","reasoning_content":"Hm"}'), *said("Hi"), STOP],
        "Hi", "Hm", [], "stop", (None, None),
    ),
    "12 flat call": (
        ['{"response":"","tool_calls":[{"name":"get_weather","arguments":{"location":"SF"}}],"p":"a"}',
         TRAILING, DONE],
        "", "", [("get_weather", '{"location": "SF"}')], "tool_calls", (14, 16),
    ),
    "12 exact numbers in arguments": (
        ['{"tool_calls":[{"name":"f","arguments":{"a":0.50,"b":12345678901234567890123}}]}', DONE],
        "", "", [("f", '{"a": 0.50, "b": 12345678901234567890123}')], "tool_calls", (None, None),
    ),
    "13 top level call": (
        ['{"tool_calls":[{"id":"call123","type":"function","index":0,"function":{"name":"get_weather",'
         '"arguments":"{\\"location\\": \\"London\\"}"}}]}', '{"finish_reason":"tool_calls"}', DONE],
        "", "", [("get_weather", '{"location": "London"}')], "tool_calls", (None, None),
    ),
    "14 several without index": (
        ['{"tool_calls":[{"name":"a","arguments":{}},{"name":"b","arguments":{}}]}', DONE],
        "", "", [("a", "{}"), ("b", "{}")], "tool_calls", (None, None),
    ),
    "15 null sentinel": (
        ['{"tool_calls":[{"id":"c1","type":"function","index":0,"function":{"name":"f"}}]}',
         '{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":"}}]}',
         '{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}',
         '{"tool_calls":[{"id":null,"type":null,"index":0,"function":{"name":null,"arguments":""}}]}',
         DONE],
        "", "", [("f", '{"a":1}')], "tool_calls", (None, None),
    ),
    "16 empty calls": (
        ['{"tool_calls":[],"p":"x"}', delta('{"content":"hi","tool_calls":null}'),
         delta('{"content":"!","tool_calls":[]}'), STOP],
        "hi!", "", [], "stop", (None, None),
    ),
    "17 repeated ids": (
        [delta('{"tool_calls":[{"index":0,"id":"functions.f:0","type":"function","function":'
               '{"name":"f","arguments":""}}]}'),
         delta('{"tool_calls":[{"index":0,"id":"functions.f:0","type":"function","function":'
               '{"name":"f","arguments":"{}"}}]}'), STOP, DONE],
        "", "", [("f", "{}")], "tool_calls", (None, None),
    ),
    "17 colliding ids": (
        [delta('{"tool_calls":[{"index":0,"id":"x","function":{"name":"a","arguments":"{}"}},'
               '{"index":1,"id":"x","function":{"name":"b","arguments":"{}"}}]}'), STOP],
        "", "", [("a", "{}"), ("b", "{}")], "tool_calls", (None, None),
    ),
    "19 stop with calls": (
        [delta('{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}'), STOP],
        "", "", [("f", "{}")], "tool_calls", (None, None),
    ),
    "19 model_length": ([*said("Hi"), delta("{}", '"model_length"')], "Hi", "", [], "length", (None, None)),
    "19 MAX_TOKENS": ([*said("Hi"), delta("{}", '"MAX_TOKENS"')], "Hi", "", [], "length", (None, None)),
    "19 other": ([*said("Hi"), delta("{}", '"other"')], "Hi", "", [], "stop", (None, None)),
    "19 two finishes": (
        [*said("Hi"), STOP, delta("{}", '"length"'), DONE], "Hi", "", [], "length", (None, None),
    ),
    "20 finish without done": ([*said("Hi"), STOP], "Hi", "", [], "stop", (None, None)),
    "20 done without finish": ([*said("Hi"), DONE], "Hi", "", [], "stop", (None, None)),
    "20 done twice": ([*said("Hi"), STOP, DONE, TRAILING, DONE], "Hi", "", [], "stop", (14, 16)),
    "21 a whole completion as an event": (
        ['{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},'
         '"finish_reason":"stop"}],' + USAGE + "}", DONE],
        "Hi", "", [], "stop", (14, 16),
    ),
    "21 an envelope as an event": (
        ['{"result":{"response":"Hi"},"success":true,"errors":[],"messages":[]}', DONE],
        "Hi", "", [], "stop", (None, None),
    ),
    "23 garbage": (
        ['{"respo', *said("Hi"), "<html>", "", "null", "[1]", '"x"', "3", STOP, "]"],
        "Hi", "", [], "stop", (None, None),
    ),
    "23 glued": (
        ["data: ".join([*said("H"), *said("i"), STOP]), DONE], "Hi", "", [], "stop", (None, None),
    ),
    "24 moondream": (
        ['{"mode":"replace","name":"output_tokens","value":54}',
         '{"chunk":{"answer":"Network"},"index":0}', '{"chunk":{"answer":"Network Sett"},"index":1}',
         '{"status":"succeeded","output":["Network Sett"],"metrics":{"input_tokens":3,"output_tokens":4}}',
         '{"response":"","usage":{"prompt_tokens":3,"completion_tokens":4}}', DONE],
        "Network Sett", "", [], "stop", (3, 4),
    ),
    "25 thoughts only": (
        [delta('{"reasoning":"Let me"}'), delta("{}", '"length"'), DONE],
        "", "Let me", [], "length", (None, None),
    ),
    "26 one delta": ([delta('{"role":"assistant","content":"All"}', '"stop"'), DONE], "All", "", [], "stop", (None, None)),
    "split surrogates": (
        [delta('{"content":"\\ud83d"}'), delta('{"content":"\\udc22!"}'), STOP],
        "🐢!", "", [], "stop", (None, None),
    ),
    "a lone surrogate": (
        [delta('{"content":"a\\ud83d"}'), delta('{"content":"b"}'), STOP],
        "a\N{REPLACEMENT CHARACTER}b", "", [], "stop", (None, None),
    ),
    "text parts": (
        [delta('{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}'), STOP],
        "ab", "", [], "stop", (None, None),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_what_upstream_sends_comes_out_strict(name: str) -> None:
    lines, text, thoughts, calls, finish, usage = SAMPLES[name]
    outcome = streamed(wire(*lines))
    assert outcome.failure is None
    assert (outcome.text, outcome.reasoning) == (text, thoughts)
    assert outcome.calls == calls
    assert outcome.finish_reason == finish
    assert outcome.usage_seen == usage


@settings(max_examples=150)
@given(name=st.sampled_from(sorted(SAMPLES)), cuts=st.lists(st.integers(0, 900), max_size=12))
def test_bytes_cut_anywhere_give_the_same_answer(name: str, cuts: list[int]) -> None:
    lines, text, thoughts, calls, finish, usage = SAMPLES[name]
    outcome = streamed(wire(*lines), cuts=tuple(cuts))
    assert outcome.failure is None
    assert (outcome.text, outcome.reasoning, outcome.calls) == (text, thoughts, calls)
    assert (outcome.finish_reason, outcome.usage_seen) == (finish, usage)


FRAGMENTS = sorted({line for sample in SAMPLES.values() for line in sample[0]})


@settings(max_examples=120)
@given(
    lines=st.lists(st.sampled_from(FRAGMENTS), max_size=10),
    cuts=st.lists(st.integers(0, 1500), max_size=6),
    thinks=st.booleans(),
    unopened=st.booleans(),
    forced=st.booleans(),
    include_usage=st.booleans(),
)
def test_any_mixture_of_fragments_stays_strict(
    lines: list[str],
    cuts: list[int],
    thinks: bool,
    unopened: bool,
    forced: bool,
    include_usage: bool,
) -> None:
    expected = Expected(
        model=MODEL,
        thinks_inline=thinks,
        thinks_unopened=thinks and unopened,
        forced_tools=frozenset({"f"}) if forced else frozenset(),
    )
    one = streamed(wire(*lines), expected, include_usage=include_usage)
    other = streamed(wire(*lines), expected, tuple(cuts), include_usage=include_usage)
    assert (one.text, one.reasoning, one.calls) == (other.text, other.reasoning, other.calls)
    assert one.finish_reason == other.finish_reason
    assert one.usage_seen == other.usage_seen
    assert type(one.failure) is type(other.failure)


@pytest.mark.parametrize(
    ("opened", "texts"),
    [
        (False, ["<thi", "nk>\n", "We need", " this", "</th", "ink>", "\n\n", "Hi"]),
        (True, ["We need", " this\n</thi", "nk>\n\nHi"]),
        (True, ["<think>We need this</think>Hi"]),
    ],
)
def test_11_inline_thoughts_are_told_apart(opened: bool, texts: list[str]) -> None:
    expected = Expected(model=MODEL, thinks_inline=True, thinks_unopened=opened)
    outcome = streamed(wire(*said(*texts), STOP, DONE), expected)
    assert outcome.reasoning.strip() == "We need this"
    assert outcome.text == "Hi"


def test_11_a_tag_in_the_text_of_a_plain_model_is_text() -> None:
    outcome = streamed(wire(*said("Use <think> tags"), STOP))
    assert outcome.text == "Use <think> tags"


LEAKED = {
    "flat": '{"name":"get_weather","location":"London"}',
    "arguments": '{"name":"get_weather","arguments":{"location":"London"}}',
    "list": '[{"name":"get_weather","parameters":{"location":"London"}}]',
    "fenced": '```json\n{"name":"get_weather","parameters":{"location":"London"}}\n```',
}
FORCED = Expected(model=MODEL, forced_tools=frozenset({"get_weather"}))


@pytest.mark.parametrize("form", LEAKED)
def test_18_a_forced_call_that_leaked_is_a_call(form: str) -> None:
    text = LEAKED[form]
    pieces = [text[start : start + 5] for start in range(0, len(text), 5)]
    outcome = streamed(wire(*said(*pieces), STOP, DONE), FORCED)
    [(name, arguments)] = outcome.calls
    assert (name, json.loads(arguments)) == ("get_weather", {"location": "London"})
    assert outcome.text == ""


@pytest.mark.parametrize("text", ['{"name":"rm","a":1}', '{"answer":1}', "{not json", "[]"])
def test_18_other_text_after_a_forced_tool_is_text(text: str) -> None:
    assert streamed(wire(*said(text), STOP), FORCED).text == text


def test_18_nothing_is_recovered_when_no_tool_was_forced() -> None:
    assert streamed(wire(*said(LEAKED["flat"]), STOP)).text == LEAKED["flat"]


def test_usage_is_its_own_chunk_when_it_was_asked_for() -> None:
    outcome = streamed(wire(*said("Hi"), STOP, TRAILING, DONE), include_usage=True)
    assert outcome.usage is not None
    assert outcome.usage["total_tokens"] == 30
    assert all("usage" in chunk for chunk in outcome.chunks)


def test_two_choices_keep_apart() -> None:
    lines = [
        '{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}',
        '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        '{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}',
    ]
    outcome = streamed(wire(*lines, DONE))
    ends = {
        c["index"]: c["finish_reason"]
        for chunk in outcome.chunks
        for c in chunk["choices"]
        if c["finish_reason"]
    }
    assert ends == {0: "stop", 1: "length"}


def test_legacy_functions_stream_as_function_call() -> None:
    expected = Expected(model=MODEL, legacy_functions=True)
    raw = wire('{"tool_calls":[{"name":"f","arguments":{"a":1}}]}', DONE)
    chunks = ChatStream(expected, include_usage=False)
    block = chunks.events(EventDecoder().feed(raw)) + chunks.end()
    events = [orjson.loads(data) for _, data in EventDecoder().feed(block)]
    assert events[0]["choices"][0]["delta"]["function_call"] == {
        "name": "f",
        "arguments": '{"a": 1}',
    }
    assert events[-1]["choices"][0]["finish_reason"] == "function_call"


# --- Ends that are none -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "error_class", "text"),
    [
        (said("Hi"), StreamCut, "Hi"),
        ([], StreamCut, ""),
        ([DONE], UnusableAnswer, ""),
        ([ROLE], StreamCut, ""),
        ([*said("Hi"), '{"error":{"message":"x","code":8008}}'], ServerFault, "Hi"),
        ([*said("Hi"), '{"error":"x"}'], ServerFault, "Hi"),
        ([*said("Hi"), '{"errors":[{"code":8008}],"success":false}'], ServerFault, "Hi"),
        ([*said("Hi"), '{"errors":[{"code":3040}],"success":false,"result":{}}'], Refused, "Hi"),
        ([*said("Hi"), '{"status":"failed"}'], ServerFault, "Hi"),
        ([*said("Hi"), delta("{}", '"error"')], ServerFault, "Hi"),
    ],
)
def test_22_a_failure_ends_the_stream_after_what_came(
    lines: list[str], error_class: type[WorkersAIError], text: str
) -> None:
    outcome = streamed(wire(*lines))
    assert isinstance(outcome.failure, error_class)
    assert outcome.text == text


@pytest.mark.parametrize("data", ['{"message":"x"}', "boom", "{}"])
def test_22_an_event_named_error_is_a_failure(data: str) -> None:
    raw = wire(*said("Hi")) + f"event: error\ndata: {data}\n\n".encode()
    outcome = streamed(raw)
    assert isinstance(outcome.failure, Refused)
    assert outcome.text == "Hi"


# --- Whole answers ----------------------------------------------------------------------------


def bare(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop", **more}]}


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"response": "Hi"}, "Hi"),
        ({"result": {"response": "Hi"}, "success": True}, "Hi"),
        ({"result": bare({"content": "Hi"}), "success": True, "errors": []}, "Hi"),
        ({"response": None, **bare({"content": "Hi"})}, "Hi"),
        ({"response_text": "Hi"}, "Hi"),
        ({"response": 155724}, "155724"),
        ({"response": True}, "true"),
        ({"response": {"answer": 42}}, '{"answer": 42}'),
        (b'{"response": {"price": 0.50}}', '{"price": 0.50}'),
        (b'{"response": 0.10}', "0.10"),
        (bare({"content": {"a": [1, None]}}), '{"a": [1, null]}'),
        (bare({"content": ["a", "b"]}), "ab"),
        (bare({"content": []}), ""),
        (bare({"content": [1]}), "[1]"),
        (bare({"content": [{"type": "text", "text": "Hi"}]}), "Hi"),
        (bare({"role": "assistant", "content": None, "reasoning": "Hm"}), ""),
        ({"choices": [{"text": "Hi", "finish_reason": "stop"}]}, "Hi"),
        (b'{"response": "a\\ud83db"}', "a\N{REPLACEMENT CHARACTER}b"),
        (b'{"response": "Hi", "usage": {"x": NaN}}', "Hi"),
    ],
)
def test_a_whole_answer_in_any_form_has_its_text(body: Any, content: str) -> None:
    choice = whole(body)
    assert choice["message"]["content"] == content
    assert choice["finish_reason"] == "stop"


def test_3_thoughts_beside_null_content_and_null_extras() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "reasoning": "Hm",
        "tool_calls": [],
        **dict.fromkeys(("refusal", "annotations", "audio", "function_call")),
    }
    choice = whole(bare(message, stop_reason=None, token_ids=None))
    assert choice["message"]["reasoning_content"] == "Hm"
    assert "tool_calls" not in choice["message"]


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ({"name": "f", "arguments": {"a": "51.5"}}, '{"a": "51.5"}'),
        ({"name": "f", "arguments": '{"a":1}'}, '{"a":1}'),
        ({"name": "f", "arguments": None}, "{}"),
        ({"name": "f"}, "{}"),
        ({"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}, "{}"),
        ({"function": {"name": "f", "arguments": {"a": 1}}}, '{"a": 1}'),
    ],
)
def test_5_flat_calls_become_openais(call: dict[str, Any], arguments: str) -> None:
    choice = whole({"result": {"response": None, "tool_calls": [call]}, "success": True})
    [made] = choice["message"]["tool_calls"]
    assert made["function"] == {"name": "f", "arguments": arguments}
    assert choice["message"]["content"] is None


@pytest.mark.parametrize(
    ("pieces", "arguments"),
    [
        (["null"], "{}"),
        (["[]"], "{}"),
        (["{}", '{"a": ', "1}"], '{"a": 1}'),
        (['{}{"a": 1}'], '{"a": 1}'),
        (["```json\n", '{"a": 1}', "\n```"], '{"a": 1}'),
        ([' {"a":', " 1}"], ' {"a": 1}'),
        (['"{\\"a\\": 1}"'], '{"a": 1}'),
        (["city: Oslo"], "city: Oslo"),
    ],
)
def test_arguments_that_begin_as_no_object_become_one_where_they_hold_it(
    pieces: list[str], arguments: str
) -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "".join(pieces)}}
    [made] = whole(bare({"tool_calls": [call]}))["message"]["tool_calls"]
    assert made["function"]["arguments"] == arguments

    begun = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": pieces[0]}}
    rest = [{"index": 0, "function": {"arguments": piece}} for piece in pieces[1:]]
    told = [delta(f'{{"tool_calls": [{orjson.dumps(part).decode()}]}}') for part in (begun, *rest)]
    deltas = [
        part["function"].get("arguments", "")
        for chunk in streamed(wire(*told, delta("{}", '"tool_calls"'), "[DONE]")).chunks
        for choice in chunk["choices"]
        for part in choice["delta"].get("tool_calls", ())
    ]
    assert "".join(deltas) == arguments


def test_an_empty_object_that_is_followed_by_another_call_is_whole() -> None:
    calls = [
        {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}},
        {"index": 0, "id": "c2", "function": {"name": "g", "arguments": '{"a": 1}'}},
    ]
    made = whole(bare({"tool_calls": calls}))["message"]["tool_calls"]
    told = [(call["function"]["name"], call["function"]["arguments"]) for call in made]
    assert told == [("f", "{}"), ("g", '{"a": 1}')]


@pytest.mark.parametrize("reason", ["error", "abort", "cancelled"])
def test_an_answer_that_the_server_gave_up_is_a_failure(reason: str) -> None:
    outcome = streamed(wire(delta('{"content": "Half"}'), delta("{}", f'"{reason}"'), "[DONE]"))
    assert isinstance(outcome.failure, ServerFault)
    with pytest.raises(ServerFault):
        whole({"choices": [{"message": {"content": "Half"}, "finish_reason": reason}]})


def test_6_a_missing_finish_at_the_limit_is_length() -> None:
    body = {"response": "Hi", "usage": {"prompt_tokens": 1, "completion_tokens": 5}}
    assert whole(body, Expected(model=MODEL, max_tokens=5))["finish_reason"] == "length"


def test_8_the_model_is_the_one_that_was_asked_for() -> None:
    normaliser = ChatNormaliser(Expected(model="my-alias"))
    deltas = normaliser.take_whole(orjson.dumps({**bare({"content": "x"}), "model": "y-external"}))
    deltas += normaliser.end()
    assert completion(normaliser, deltas)["model"] == "my-alias"


@pytest.mark.parametrize(
    "body",
    [{}, {"result": {}, "success": True}, {"result": None, "success": True}, [], 3, b"<html>"],
)
def test_9_an_empty_success_is_unusable(body: Any) -> None:
    with pytest.raises(UnusableAnswer):
        whole(body)


@pytest.mark.parametrize(
    "body",
    [
        {"result": {"response": "{"}, "success": False, "errors": [{"code": 5024, "message": "x"}]},
        {"error": {"message": "x"}},
    ],
)
def test_11_a_failure_inside_a_success_is_refused(body: Any) -> None:
    with pytest.raises(Refused):
        whole(body)
