"""The messages that agents send most are passed on without a second look, as the long way would."""

import sys
from types import FrameType
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bench.bodies import agent_body
from catalog.classify.facts import ChatFacts
from catalog.snapshot import ModelRecord
from openai_api.chat_completions import request as chat_request
from openai_api.chat_completions.translate import body_of, translate
from openai_api.errors import BadRequest
from openai_api.wire.fields import json_object
from openai_api.wire.tool_lists import ToolLists

Json = dict[str, Any]

odd = some.sampled_from([None, "", 5, [], {}, ["a"], {"type": "text"}, "[1]", "{}"])


def mostly(usual: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    return usual | usual | usual | odd


def an_object(**fields: some.SearchStrategy[Any]) -> some.SearchStrategy[Json]:
    return some.fixed_dictionaries({}, optional=fields)


texts = some.sampled_from(["x", "Part 3 is next.", "naïve"])
functions = an_object(
    name=mostly(texts), arguments=mostly(some.sampled_from(['{"a": 1}', "", "[1", "null"]))
)
calls = an_object(
    id=mostly(texts),
    type=mostly(some.sampled_from(["function", "custom"])),
    function=mostly(functions),
    custom=mostly(an_object(name=texts, input=texts)),
)
messages = an_object(
    role=mostly(some.sampled_from(["tool", "tool", "assistant", "user", "system", "function"])),
    content=mostly(texts),
    tool_call_id=mostly(texts),
    tool_calls=mostly(some.lists(mostly(calls), max_size=2)),
    name=mostly(texts),
    reasoning=mostly(texts),
)
properties = some.dictionaries(
    texts, mostly(an_object(type=mostly(texts), description=mostly(texts), anyOf=odd)), max_size=3
)
tools = an_object(
    type=mostly(some.just("function")),
    function=mostly(
        an_object(
            name=mostly(texts),
            description=mostly(texts),
            parameters=mostly(an_object(type=texts, properties=mostly(properties))),
        )
    ),
)
MODELS = [
    ModelRecord(name, chat=ChatFacts(dialect=dialect, tools=True))
    for name in ("@cf/meta/llama-x", "@cf/openai/gpt-oss-x")
    for dialect in ("openai", "legacy")
]


def sent(body: Json, model: ModelRecord) -> Any:
    """What upstream would get, or the refusal."""
    try:
        asked = chat_request.read(orjson.loads(orjson.dumps(body)))
        plan = translate(asked, model, default_max_tokens=None)
    except BadRequest as refusal:
        return refusal.message, refusal.param, refusal.code
    return orjson.loads(body_of(plan.payload, stream=False))


def the_long_way(body: Json) -> Json:
    """The same with a field that means nothing in each message, call and tool."""
    # A copy in which no two values are one.
    body = orjson.loads(orjson.dumps(body))
    for message in body["messages"]:
        message["unheard_of"] = None
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                call["unheard_of"] = None
    for tool in body["tools"]:
        tool["unheard_of"] = None
    return body


@given(
    some.lists(messages, min_size=1, max_size=5),
    some.lists(tools, max_size=2),
    some.sampled_from(MODELS),
)
@settings(max_examples=400, deadline=None)
def test_usual_messages_and_tools_become_what_they_become_the_long_way(
    conversation: list[Json], offered: list[Json], model: ModelRecord
) -> None:
    body = {"model": "m", "messages": conversation, "tools": offered}
    assert sent(body, model) == sent(the_long_way(body), model)


def test_an_agents_request_takes_few_calls_for_each_message_and_none_for_known_tools() -> None:
    """Between its body and that of the upstream call; most are at the speed of C."""
    body = agent_body("m")
    lists = ToolLists()
    model = ModelRecord(
        "@cf/meta/llama-x", context_window=128_000, chat=ChatFacts(dialect="openai", tools=True)
    )
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    asked_for = json_object(body)
    messages, tools = len(asked_for["messages"]), len(asked_for["tools"])
    for most in (6 * (messages + tools), 6 * messages):
        calls = 0
        sys.setprofile(count)
        try:
            asked = chat_request.read(lists.chat_object(1, body))
            plan = translate(asked, model, default_max_tokens=None)
            plan.most_prompt_tokens()
            body_of(plan.payload, stream=False)
        finally:
            sys.setprofile(None)
        assert calls < most


@pytest.mark.parametrize(
    ("field", "value"),
    [*(("name", value) for value in ("", 5, None)), ("description", 5), ("parameters", "x")],
)
def test_a_tool_that_is_usual_but_for_one_field_is_refused(field: str, value: Any) -> None:
    function = {"name": "f", "description": "d", "parameters": {}, field: value}
    tool = {"type": "function", "function": function}
    with pytest.raises(BadRequest) as refused:
        chat_request.read(
            {"model": "m", "messages": [{"role": "user", "content": "a"}], "tools": [tool]}
        )
    assert refused.value.param == f"tools[0].function.{field}"
