"""Ten thousand streams made at random of what upstream is known to send, cut at random bytes.

Whatever comes in, what goes out is strict; how the bytes were cut must not show; and the short way
that plain events take must give what the full one gives.
"""

import random
import re
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from openai_api.chat_completions.answer import ChatStream
from openai_api.chat_completions.normalise import Expected, normaliser
from openai_api.use.usage import Usage
from tests.openai_api.schemas import CHUNK
from workers_ai.errors import WorkersAIError
from workers_ai.sse import EventDecoder

STREAMS = 10_000

EVENTS = [
    # Texts in both dialects, some as JSON scalars.
    b'data: {"response":"Hello","p":"abdefghijklmn"}',
    b'data: {"response":155724,"p":"ab"}',
    b'data: {"response":0.50}',
    b'data: {"response":true}',
    b'data: {"response":null,"p":""}',
    b'data: {"response":{"a":[1,2.50,null]}}',
    b'data: {"streamed_data":[{"response":"a","usage":{"prompt_tokens":3}},{"response":"b"}]}',
    b'data: {"choices":[{"delta":{"content":"**"}}]}',
    b'data: {"id":"id-1","created":1,"model":"m-external","choices":[{"index":0,'
    b'"delta":{"content":6}}]}',
    b'data: {"choices":[{"index":0,"delta":{"content":3e+50},"logprobs":null}]}',
    b'data: {"choices":[{"index":1,"delta":{"role":"assistant","content":"second"}}]}',
    b'data: {"choices":[{"delta":{"content":"","reasoning_content":null,"role":"assistant"},'
    b'"finish_reason":null,"index":0,"logprobs":null,"matched_stop":null}]}',
    b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}',
    b'data: {"choices":[{"delta":{"content":"\\ude00 ok"}}]}',
    'data: {"choices":[{"delta":{"content":"größer 漢字 😀"}}]}'.encode(),
    b'data: {"choices":[{"delta":{"content":[{"type":"text","text":"part"}]}}]}',
    # Thoughts.
    b'data: {"choices":[{"index":0,"delta":{"reasoning":"We need"}}]}',
    b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm","reasoning":"hm"}}]}',
    b'data: {"response":"<thi"}',
    b'data: {"response":"nk>deep</th"}',
    b'data: {"response":"ink>\\n\\nout"}',
    # Tool calls.
    b'data: {"response":"","tool_calls":[{"name":"w","arguments":{"x":0.50,"c":"SF"}}],"p":".."}',
    b'data: {"tool_calls":[{"name":"a","arguments":{}},{"name":"b","arguments":"{}"}]}',
    b'data: {"tool_calls":[{"id":"c1","type":"function","index":0,"function":{"name":"w"}}]}',
    b'data: {"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":"}}]}',
    b'data: {"tool_calls":[{"id":null,"type":null,"index":0,"function":{"name":null,'
    b'"arguments":""}}]}',
    b'data: {"choices":[{"delta":{"tool_calls":[{"id":"functions.l:0","index":0,'
    b'"function":{"name":"l","arguments":"{}"}}]}}]}',
    b'data: {"choices":[{"delta":{"content":"hi","tool_calls":null}}]}',
    b'data: {"tool_calls":[],"p":"x"}',
    # Usage in all its places.
    b'data: {"choices":[{"delta":{"content":"u"}}],"usage":{"prompt_tokens":0,'
    b'"completion_tokens":1}}',
    b'data: {"choices":[],"usage":{"prompt_tokens":13,"completion_tokens":3},"p":"z"}',
    b'data: {"response":"","usage":{"prompt_tokens":14,"completion_tokens":16,"neurons":0.918}}',
    # Ends.
    b'data: {"choices":[{"delta":{},"finish_reason":"stop","index":0,"matched_stop":106}]}',
    b'data: {"choices":[{"delta":{},"finish_reason":"model_length"}]}',
    b'data: {"finish_reason":"tool_calls"}',
    # What SSE allows, and what it does not.
    b": ping",
    b'event: message\nid: 7\nretry: 10\ndata:{"response":"no space"}',
    b'data: {"response":\ndata: "two lines"}',
    b"data: garbage {",
    b'data: {"response":"glued"}data: {"response":" on"}',
    b"data: 17",
    b"data: []",
    b"data: null",
    b'data: {"choices":[null,{"delta":null},{"delta":{"tool_calls":[null,3]}}]}',
    b'data: {"mode":"replace","name":"output_tokens","value":54}',
    b'data: {"chunk":{"answer":"Network Sett"},"index":1}',
]
# Plain text but for one thing, or a thing that says nothing.
NEARLY_PLAIN = [
    *(
        b'data: {"choices":[{"index":%s,"delta":{"content":"i"}}]}' % index
        for index in (b"0", b"1", b"-1", b"0.0", b"false", b"true", b"null", b'""', b"[]")
    ),
    *(
        b'data: {"choices":[{"index":0,"delta":{"content":"d",%s}}]}' % field
        for field in (
            b'"role":"assistant"',
            b'"tool_calls":[]',
            b'"tool_calls":[{"index":0,"id":"c9","function":{"name":"w","arguments":"{}"}}]',
            b'"function_call":null',
            b'"function_call":{"name":"w","arguments":"{}"}',
            b'"refusal":""',
            b'"refusal":"no"',
            b'"reasoning_content":null',
            b'"reasoning_content":""',
            b'"reasoning_content":0,"reasoning":"unread"',
            b'"reasoning_content":"","reasoning":"read"',
            b'"reasoning":"before"',
            b'"reasoning":{}',
            b'"reasoning":false',
        )
    ),
    *(
        b'data: {"choices":[{"index":0,"delta":{"content":%s,"reasoning":"t"}}]}' % content
        for content in (b"null", b'""', b"0", b"[]", b'"both"')
    ),
    *(
        b'data: {"choices":[{"index":0,"delta":{"content":null,"reasoning_content":%s}}]}' % thought
        for thought in (b'"t"', b'""', b"5", b'["t"]', b"true")
    ),
    *(
        b'data: {"choices":[{"index":0,"delta":{"content":"c"},%s}]}' % field
        for field in (
            b'"finish_reason":""',
            b'"finish_reason":"stop","stop_reason":"END"',
            b'"logprobs":{}',
            b'"logprobs":{"content":[{"token":"c","logprob":-1.5,"bytes":null,"top_logprobs":[]}]}',
            b'"message":{"content":"unread"}',
            b'"text":"unread"',
        )
    ),
    *(
        b'data: {"choices":[{"index":0,"delta":{"content":"b"}}],%s}' % field
        for field in (
            b'"usage":{"prompt_tokens":14,"completion_tokens":1,"neurons":0.25}',
            b'"usage":{"prompt_tokens":"7","completion_tokens":1.0,"neurons":"0.1"}',
            b'"usage":{}',
            b'"usage":null',
            b'"error":null,"errors":[]',
            b'"success":true',
            b'"success":true,"result":{"response":"inner"}',
            b'"streamed_data":null',
            b'"streamed_data":[{"response":"batched"}]',
            b'"response":"unread","tool_calls":[{"name":"w","arguments":{}}]',
        )
    ),
    *(
        b'data: {"response":"l",%s}' % field
        for field in (
            b'"choices":null',
            b'"choices":{}',
            b'"choices":"x"',
            b'"choices":[null]',
            b'"response_text":"unread"',
            b'"reasoning_content":0,"reasoning":"unread"',
            b'"reasoning":"thought"',
            b'"finish_reason":0',
            b'"finish_reason":"length"',
            b'"chunk":{}',
            b'"chunk":{"answer":"Network Settings"}',
            b'"status":"running"',
            b'"status":"succeeded","metrics":{"input_tokens":3,"output_tokens":4}',
            b'"usage":{"prompt_tokens":0,"completion_tokens":1}',
            b'"tool_calls":[]',
            b'"tool_calls":[{"name":"w","arguments":{}}]',
        )
    ),
    b'data: {"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}',
    b'data: {"choices":[{"index":0,"message":{"content":"m"}}]}',
    b'event: message\ndata: {"choices":[{"index":0,"delta":{"content":"named"}}]}',
    b'data:  {"response":"spaces"} ',
    b"data: [DONE] and more",
]
FAILURES = [
    b'event: error\ndata: {"response":"x"}',
    b'data: {"choices":[{"index":0,"delta":{"content":"x"}}],"error":{"message":"m","code":3040}}',
    b'data: {"response":"x","success":false,"errors":[{"code":5006,"message":"AiError: x"}]}',
    b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"error"}]}',
    b'data: {"response":"x","status":"failed"}',
]
ENDINGS = [b"data: [DONE]\n\n", b"data: [DONE]\r\n\r\n", b"data: [DONE]", b"", b'data: {"resp']
EXPECTED = [
    Expected("m"),
    Expected("m", thinks_inline=True),
    Expected("m", thinks_inline=True, thinks_unopened=True),
    Expected("m", forced_tools=frozenset({"w", "a"})),
    Expected("m", stops=("ell", "漢")),
    Expected("m", legacy_functions=True),
    Expected("m", max_tokens=16),
]


def random_stream(dice: random.Random, pool: list[bytes] = EVENTS) -> bytes:
    separator = dice.choice([b"\n\n", b"\n\n", b"\n\n", b"\r\n\r\n", b"\r\r"])
    events = [dice.choice(pool) for _ in range(dice.randint(0, 12))]
    if dice.random() < 0.5:
        events.append(dice.choice(EVENTS[-16:-11]))
    body = separator.join(
        event.replace(b"\n", separator[: len(separator) // 2]) for event in events
    )
    return body + separator + dice.choice(ENDINGS)


def normalised(body: bytes, cuts: list[int], expected: Expected, *, usage: bool) -> bytes | str:
    """The gateway's stream, or the name of the failure it ends with."""
    decoder, stream = EventDecoder(), ChatStream(expected, include_usage=usage)
    out = b""
    try:
        for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
            out += stream.events(decoder.feed(body[start:end]))
        out += stream.events(decoder.close())
        return out + stream.end() + stream.last(Usage(1, 2))
    except WorkersAIError as error:
        return type(error).__name__


STRICT = Draft202012Validator(CHUNK)
seen_shapes: set[bytes] = set()


def shape_of(value: Any) -> Any:
    """The value with its texts and numbers made equal, so that each shape is checked once."""
    if isinstance(value, dict):
        return {name: shape_of(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape_of(item) for item in value]
    if isinstance(value, str):
        return value if value in ("assistant", "function") else "chatcmpl-x" * bool(value)
    return value


def check(out: bytes, *, usage: bool) -> None:
    """Everything that a strict client relies on."""
    *events, done, nothing = out.split(b"\n\n")
    assert nothing == b"" and done == b"data: [DONE]"
    begun: set[int] = set()
    finished: set[int] = set()
    calls: set[tuple[int, int]] = set()
    with_usage = 0
    for event in events:
        assert event.startswith(b"data: ")
        chunk = orjson.loads(event[6:])
        assert orjson.dumps(chunk) == event[6:]
        assert [*chunk][:5] == ["id", "object", "created", "model", "choices"]
        shape = {
            **chunk,
            "choices": [{**c, "delta": shape_of(c["delta"])} for c in chunk["choices"]],
        }
        key = orjson.dumps({**shape, "id": "chatcmpl-x", "created": 1})
        if key not in seen_shapes:
            STRICT.validate(chunk)
            seen_shapes.add(key)
        if chunk.get("usage"):
            with_usage += 1
            assert chunk["choices"] == []
        for choice in chunk["choices"]:
            index, delta = choice["index"], choice["delta"]
            assert index not in finished
            assert ("role" in delta) == (index not in begun)
            begun.add(index)
            for call in delta.get("tool_calls", ()):
                place = (index, call["index"])
                assert ("id" in call) == (place not in calls)
                assert ("name" in call["function"]) == (place not in calls)
                calls.add(place)
            if choice["finish_reason"] is not None:
                finished.add(index)
    assert begun == finished != set()
    assert with_usage == usage


@pytest.mark.parametrize("seed", range(4))
def test_random_streams_come_out_strict_however_they_are_cut(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(STREAMS // 4):
        body = random_stream(dice)
        expected, usage = dice.choice(EXPECTED), dice.random() < 0.5
        cuts = sorted(dice.sample(range(1, len(body)), min(len(body) - 1, dice.randint(0, 9))))
        whole = normalised(body, [], expected, usage=usage)
        cut = normalised(body, cuts, expected, usage=usage)
        if isinstance(whole, str):
            assert cut == whole, body
            continue
        assert isinstance(cut, bytes), body
        check(whole, usage=usage)
        check(cut, usage=usage)
        assert answer_of(cut) == answer_of(whole), body


def answer_of(out: bytes) -> dict[str, Any]:
    """Texts, calls and finish reasons of a stream, without ids that are made anew each time."""
    answer: dict[str, Any] = {}
    for event in out.split(b"\n\n")[:-2]:
        for choice in orjson.loads(event[6:])["choices"]:
            got = answer.setdefault(choice["index"], {"texts": {}, "calls": {}, "finish": None})
            for name in ("content", "reasoning_content", "refusal"):
                got["texts"][name] = got["texts"].get(name, "") + choice["delta"].get(name, "")
            for call in choice["delta"].get("tool_calls", ()):
                kept = got["calls"].setdefault(call["index"], ["", ""])
                kept[0] += call["function"].get("name", "")
                kept[1] += call["function"].get("arguments", "")
            got["finish"] = choice["finish_reason"] or got["finish"]
    return answer


@pytest.mark.parametrize("seed", range(2))
def test_the_short_way_of_plain_events_gives_what_the_full_way_gives(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    cases = [
        (random_stream(dice, NEARLY_PLAIN * 4 + EVENTS + FAILURES), dice.choice(EXPECTED))
        for _ in range(1500)
    ]
    short = [event_by_event(body, expected) for body, expected in cases]
    monkeypatch.setattr(normaliser, "plain_delta", lambda choice, body: None)
    for (body, expected), told in zip(cases, short, strict=True):
        assert told == event_by_event(body, expected), body


def event_by_event(body: bytes, expected: Expected) -> tuple[list[bytes | str], Any]:
    """What each event becomes, up to a failure; and what is known of the answer then."""
    random.seed(7)  # for the ids
    decoder, stream = EventDecoder(), ChatStream(expected, include_usage=False)
    out: list[bytes | str] = []
    try:
        for event in decoder.feed(body) + decoder.close():
            out.append(stream.events([event]))
        out.append(stream.end())
    except WorkersAIError as error:
        out.append(str(error))
    told = [
        re.sub(rb'"created":\d+', b"", part) if isinstance(part, bytes) else part for part in out
    ]
    normaliser = stream.normaliser
    known = normaliser.usage, normaliser.finish_reasons, normaliser.characters, normaliser.stop_met
    return told, (*known, normaliser.answered, normaliser.done)
