"""Tools that came before are taken as they were read then, and nobody can tell but by the time."""

import gc
import json
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from catalog.classify.facts import ChatFacts
from catalog.snapshot import ModelRecord
from openai_api.chat_completions import request as chat
from openai_api.chat_completions.translate import body_of, translate
from openai_api.errors import ApiError, BadRequest, TooManyValues
from openai_api.messages import request as anthropic
from openai_api.messages.translate import translate as of_messages
from openai_api.responses import request as responses
from openai_api.responses.translate import translate as of_responses
from openai_api.wire import tool_lists as module
from openai_api.wire.bounds import MOST_VALUES
from openai_api.wire.left_in_body import LEAST_BYTES as LEAST_PICTURE_BYTES
from openai_api.wire.left_in_body import LeftInBody, chat_object
from openai_api.wire.tool_lists import LEAST_BYTES, UNUSED_FOR_S, ToolList, ToolLists
from tests.openai_api.chats import chat_body, post
from tests.openai_api.nearly_whole import Json, an_object
from workers_ai.simulator.serve import RunningSimulator

HELLO = [{"role": "user", "content": "Hello"}]


def function(name: str = "f", **more: Any) -> Json:
    parameters = {"type": "object", "properties": {"a": {"type": "string", "description": "d"}}}
    about = {"name": name, "description": "x" * LEAST_BYTES, "parameters": parameters}
    return {"type": "function", "function": {**about, **more}}


def written(tools: Any, before: str = '"messages":[]', after: str = '"stream":true') -> bytes:
    return f'{{{before},"tools":{orjson.dumps(tools).decode()},{after}}}'.encode()


def parses_no_tools(lists: ToolLists, body: bytes) -> bool:
    """Whether the tools are known where they stand in this body."""
    parsed: list[int] = []

    def note(body: bytes, **more: Any) -> Json:
        parsed.append(len(body))
        return chat_object(body, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "chat_object", note)
        lists.chat_object(1, body)
    return max(parsed) < len(body)


def result(read: Callable[[bytes], Any], body: bytes) -> Any:
    """What is read, or the refusal."""
    try:
        return read(body)
    except ApiError as refusal:
        return refusal.message, refusal.code


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"messages":[]', '"stream":true'),
        ('"messages":[{"role":"user","content":"A further turn."}]', '"stream":true'),
        ('"messages":[]', '"stream":true,"messages":["A further turn."]'),
        (' "messages" : [] ', '"stream":true'),
    ],
)
def test_tools_stand_in_a_body_as_they_did_when_they_came_first(before: str, after: str) -> None:
    lists, tools = ToolLists(), [function()]
    first = lists.chat_object(1, written(tools))
    body = written(tools, before, after)
    assert parses_no_tools(lists, body)
    again = lists.chat_object(1, body)
    assert again == orjson.loads(body)
    assert again["tools"] is first["tools"]


def test_agents_whose_bodies_differ_in_length_share_the_tools_of_their_key() -> None:
    lists, tools = ToolLists(), [function()]
    bodies = [
        written(tools, f'"model":"{"m" * long}"', f'"user":"{"u" * 2 * long}"')
        for long in (1, 5, 9)
    ]
    for body in bodies:
        lists.chat_object(1, body)
    assert len({id(lists.chat_object(1, body)["tools"]) for body in bodies}) == 1
    assert all(parses_no_tools(lists, body) for body in bodies)


@pytest.mark.parametrize("write", [json.dumps, lambda one: orjson.dumps(one).decode()])
def test_tools_are_known_with_and_without_spaces(write: Callable[[Any], str]) -> None:
    lists, tools = ToolLists(), [function(about="naïve – ok", amount=[1.5, -2, None, True])]
    body = write({"model": "m", "messages": HELLO, "tools": tools}).encode()
    assert lists.chat_object(1, body) == json.loads(body)
    assert parses_no_tools(lists, body)
    assert lists.chat_object(1, body) == json.loads(body)


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        # A longer list, an element that follows, and an end that is missing.
        (b'{"messages":[],"tools":', b",1]}"),
        (b'{"messages":[],"tools":', b"[1]}"),
        (b'{"messages":[],"tools":', b""),
        # The same bytes in another field, in an object within, and in a text.
        (b'{"messages":[],"fools":', b"}"),
        (b'{"m":1,"a":{"b":1,"tools":', b"}}"),
        (b'{"messages":"_,\\"tools', b'":1}'),
        (b'{"messages":[],"tools\\":', b'":1}'),
        # Twice: the last one counts, and refuses or not.
        (b'{"messages":[],"tools":', b',"tools":[]}'),
        (b'{"messages":[],"tools":', b',"tools":5}'),
    ],
)
def test_the_same_bytes_are_known_only_where_they_are_the_tools(
    before: bytes, behind: bytes
) -> None:
    lists, tools = ToolLists(), [function()]
    lists.chat_object(1, written(tools))
    body = before + orjson.dumps(tools) + behind
    assert result(lambda one: lists.chat_object(1, one), body) == result(chat_object, body)


@given(some.integers(0, 40), some.sampled_from(['"', "\\", "[", "{", ",", "}", "1", " "]))
@settings(max_examples=100, deadline=None)
def test_a_body_is_read_as_without_memory_whatever_is_changed_in_it(at: int, put: str) -> None:
    lists, tools = ToolLists(), [function()]
    body = written(tools)
    lists.chat_object(1, body)
    text = body.decode()
    place = at if at < 20 else len(text) + 20 - at
    changed = (text[:place] + put + text[place + 1 :]).encode()
    assert result(lambda one: lists.chat_object(1, one), changed) == result(chat_object, changed)


def test_the_tools_of_one_key_are_unknown_to_others() -> None:
    lists, body = ToolLists(), written([function()])
    own = lists.chat_object(1, body)["tools"]
    assert lists.chat_object(2, body)["tools"] is not own
    assert lists.chat_object(1, body)["tools"] is own


def test_what_is_known_is_bounded_and_a_key_has_a_part_of_it() -> None:
    lists = ToolLists(most_bytes=400_000)
    for key_id in range(20):
        for number in range(30):
            lists.chat_object(key_id, written([function(f"f{number}")]))
            assert lists.total_bytes <= 400_000
    assert lists.total_bytes > 300_000
    kept = lists.chat_object(19, written([function("f29")]))["tools"]
    for number in range(30):
        lists.chat_object(0, written([function(f"f{number}")]))
        assert lists.chat_object(19, written([function("f29")]))["tools"] is kept
    assert lists.total_bytes <= 400_000


def test_tools_that_nobody_sends_are_forgotten() -> None:
    now_s = 0.0
    lists = ToolLists(clock=lambda: now_s)
    lists.chat_object(1, written([function("f")]))
    held = lists.total_bytes
    now_s = 2 * UNUSED_FOR_S
    lists.chat_object(2, written([function("g")]))
    assert lists.total_bytes == held


def test_values_of_known_tools_count_in_each_body() -> None:
    lists, tools = ToolLists(), [function(a=[1] * 10_000)]
    lists.chat_object(1, written(tools))
    most = MOST_VALUES - 9_000
    with pytest.raises(TooManyValues):
        lists.chat_object(1, written(tools, f'"metadata":{[1] * most}'.replace(" ", "")))


def test_a_picture_beside_known_tools_stays_in_the_body() -> None:
    picture = "data:image/png;base64,iVBOR" + "A" * LEAST_PICTURE_BYTES * 2
    part = {"type": "image_url", "image_url": {"url": picture}}
    messages = orjson.dumps([{"role": "user", "content": [part]}]).decode()
    lists, tools = ToolLists(), [function()]
    lists.chat_object(1, written(tools))
    parsed = lists.chat_object(1, written(tools, f'"messages":{messages}'))
    url = parsed["messages"][0]["content"][0]["image_url"]["url"]
    assert isinstance(url, LeftInBody)
    assert url.whole() == picture


# --- what becomes of them -------------------------------------------------------------------------

names = some.sampled_from(["a", "b"])
values = some.recursive(
    some.sampled_from([None, "", "x", 5, {}, [], {"type": "string", "description": "d"}]),
    lambda inner: some.dictionaries(names, inner, max_size=2) | some.lists(inner, max_size=2),
    max_leaves=4,
)
schemas = an_object(
    type="object", properties=some.dictionaries(names, values, max_size=2), required=values
)
functions = an_object(name=names, description="d" * LEAST_BYTES, parameters=schemas)
formats = some.none() | an_object(type="text")
OF_CHAT = an_object(type="function", function=functions) | an_object(
    type="custom", custom=an_object(name=names, description="d", format=formats)
)
OF_MESSAGES = an_object(
    name=names,
    description="d" * LEAST_BYTES,
    input_schema=schemas,
    type=some.sampled_from(["custom", "custom", "web_search_20250305", "bash_20250124"]),
    defer_loading=some.booleans(),
)
flat = an_object(
    type=some.sampled_from(["function", "function", "custom", "web_search"]),
    name=names,
    description="d" * LEAST_BYTES,
    parameters=schemas,
    strict=some.none() | some.booleans(),
)
OF_RESPONSES = flat | an_object(type="namespace", name=names, tools=some.lists(flat, max_size=2))
MODELS = [
    ModelRecord(name, context_window=128_000, chat=ChatFacts(dialect=dialect, tools=True))
    for name in ("@cf/meta/llama-x", "@cf/openai/gpt-oss-x")
    for dialect in ("openai", "legacy")
]
DIALECTS: dict[str, tuple[Any, Json, Callable[[Json], chat.ChatRequest]]] = {
    "chat": (OF_CHAT, {"messages": HELLO}, chat.read),
    "messages": (
        OF_MESSAGES,
        {"messages": HELLO, "max_tokens": 9},
        lambda body: of_messages(anthropic.read(body))[0],
    ),
    "responses": (
        OF_RESPONSES,
        {"input": "Hello"},
        lambda body: of_responses(responses.read(body))[0],
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@given(given=some.data())
@settings(max_examples=60, deadline=None)
def test_known_tools_become_what_they_became_at_first(dialect: str, given: some.DataObject) -> None:
    tools, fields, read = DIALECTS[dialect]
    offered = given.draw(some.lists(tools, min_size=1, max_size=3))
    choice = given.draw(some.sampled_from([None, "auto", {"type": "auto"}, "required"]))
    body = orjson.dumps({"model": "m", **fields, "tools": offered, "tool_choice": choice})

    def sent(parsed: Json, model: ModelRecord) -> Any:
        try:
            asked = read(parsed)
            plan = translate(asked, model, default_max_tokens=None)
        except BadRequest as refusal:
            return refusal.message, refusal.param, refusal.code
        most = plan.most_prompt_tokens()
        return body_of(plan.payload, stream=False), plan.expected, most, asked.ignored

    lists = ToolLists()
    # Each model twice, so that nothing is left of another one.
    for model in (*MODELS, *MODELS):
        assert sent(lists.chat_object(1, body), model) == sent(orjson.loads(body), model)
    assert lists.chat_object(1, body)["tools"] == offered, "nobody has changed them"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_tools_of_one_request_go_with_it(dialect: str, model: ModelRecord) -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "string", "description": "d"}}}
    tool = {"type": "function", "name": "f", "description": "d", "parameters": parameters}
    if dialect == "chat":
        tool = {"type": "function", "function": tool | {"strict": None}}
    elif dialect == "messages":
        tool = {"name": "f", "description": "d", "input_schema": parameters}
    _, fields, read = DIALECTS[dialect]

    def ask() -> None:
        plan = translate(
            read({"model": "m", **fields, "tools": [dict(tool)]}), model, default_max_tokens=None
        )
        body_of(plan.payload, stream=False)

    def in_memory() -> int:
        return sum(type(one) is ToolList for one in gc.get_objects())

    ask()
    gc.collect()
    gc.disable()
    try:
        before = in_memory()
        ask()
        assert in_memory() == before
    finally:
        gc.enable()


def test_tools_are_read_once_for_many_requests() -> None:
    seen: list[ToolList[Any]] = []

    def count(tools: ToolList[Any]) -> int:
        seen.append(tools)
        return len(tools)

    lists, body = ToolLists(), written([function()])
    assert [lists.chat_object(1, body)["tools"].made(count) for _ in range(3)] == [1, 1, 1]
    assert len(seen) == 1


def test_a_conversation_goes_on_with_the_tools_that_it_began_with(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    tools = [function("look"), function("find")]
    for text in ("Say a", "Say a b", "Say a b c"):
        answer = post(client, chat_body(text, tools=tools))
        assert answer.status_code == 200
        payload = upstream.requests[-1].body
        assert payload["tools"] == tools
        assert payload["messages"][-1]["content"] == text
