"""Tool calls as upstream sends them: flat, whole, unindexed, repeated, or inside the text.

They call the tool that the request offers, or `get_weather` when it offers none.
"""

from collections.abc import Callable
from typing import Any

import orjson

from workers_ai.simulator.calls import Call
from workers_ai.simulator.chat.answers import ToolCall, text_of
from workers_ai.simulator.chat.schema_values import value_for
from workers_ai.simulator.chat.streams import Step, paced
from workers_ai.simulator.replies import AnyReply, StreamReply
from workers_ai.simulator.scenarios import chunks
from workers_ai.simulator.scenarios.answers import choices_of
from workers_ai.simulator.scenarios.chunks import DONE, TRAILING_USAGE, chunk, content, ending, role
from workers_ai.simulator.scenarios.registry import (
    Params,
    Proceed,
    UnknownScenario,
    scenario,
    whole,
)

_WEATHER = ToolCall("get_weather", {"location": "SF"})


def _offered(call: Call) -> list[ToolCall]:
    """A call of each offered tool, with arguments that fit the tool and the question."""
    body = call.json_object()
    users = [m for m in body.get("messages") or [] if m.get("role") == "user"]
    asked = text_of(users[-1].get("content")) if users else ""
    calls = []
    for tool in body.get("tools") or []:
        function = tool.get("function") or tool
        schema = function.get("parameters") or {"type": "object"}
        calls.append(ToolCall(function["name"], value_for(schema, asked)))
    return calls or [_WEATHER]


def _as_stream(reply: AnyReply, lines: list[str], call: Call) -> AnyReply:
    if isinstance(reply, StreamReply):
        steps = [Step(f"data: {line}\n\n".encode(), 1) for line in lines]
        reply.pieces = paced(steps, call.pace)
    return reply


def _arguments(one: ToolCall) -> str:
    return orjson.dumps(one.arguments).decode()


def _flat(one: ToolCall) -> str:
    return f'{{"name":{chunks.quoted(one.name)},"arguments":{_arguments(one)}}}'


@scenario("flat-tool-call", "a whole call in one event; arguments an object, no id or type", "8.12")
async def flat_tool_call(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    flat = _flat(_offered(call)[0])
    event = f'{{"response":"","tool_calls":[{flat}],"p":"abdefgh"}}'
    return _as_stream(reply, [event, TRAILING_USAGE, DONE], call)


@scenario("top-level-tool-call", "`tool_calls` and `finish_reason` beside no choices", "8.13")
async def top_level_tool_call(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    one = _offered(call)[0]
    lines = [
        '{"tool_calls":[{"id":"call123","type":"function","index":0,"function":{"name":'
        f'{chunks.quoted(one.name)},"arguments":{chunks.quoted(_arguments(one))}}}}}]}}',
        '{"finish_reason":"tool_calls"}',
        TRAILING_USAGE,
        DONE,
    ]
    return _as_stream(reply, lines, call)


@scenario("unindexed-tool-calls", "several calls in one event, none with an index", "8.14")
async def unindexed_tool_calls(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    calls = _offered(call)
    # With one tool on offer it is called twice, as for two places.
    both = calls if len(calls) > 1 else calls * 2
    event = f'{{"tool_calls":[{",".join(_flat(one) for one in both)}]}}'
    return _as_stream(reply, [event, TRAILING_USAGE, DONE], call)


@scenario("null-sentinel-tool-call", "arguments piece by piece, closed by a call of nulls", "8.15")
async def null_sentinel(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    one = _offered(call)[0]
    text = _arguments(one)
    pieces = [text[start : start + 5] for start in range(0, len(text), 5)]
    lines = [
        '{"tool_calls":[{"id":"c1","type":"function","index":0,"function":{"name":'
        f"{chunks.quoted(one.name)}}}}}]}}",
        *(
            f'{{"tool_calls":[{{"index":0,"function":{{"arguments":{chunks.quoted(piece)}}}}}]}}'
            for piece in pieces
        ),
        '{"tool_calls":[{"id":null,"type":null,"index":0,"function":{"name":null,"arguments":""}}]}',
        TRAILING_USAGE,
        DONE,
    ]
    return _as_stream(reply, lines, call)


@scenario("empty-tool-calls", "`tool_calls` that are null or empty, beside text", "8.16")
async def empty_tool_calls(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    model = call.model
    lines = [
        role(model),
        '{"tool_calls":[],"p":"x"}',
        chunk(model, '{"content":"hi","tool_calls":null}'),
        chunk(model, '{"content":" there","tool_calls":[]}'),
        *ending(model),
    ]
    return _as_stream(reply, lines, call)


def _call_delta(one: ToolCall, index: int, call_id: str, arguments: str, *, name: bool) -> str:
    named = f'"name":{chunks.quoted(one.name)},' if name else ""
    return (
        f'{{"tool_calls":[{{"index":{index},"id":{chunks.quoted(call_id)},"type":"function",'
        f'"function":{{{named}"arguments":{chunks.quoted(arguments)}}}}}]}}'
    )


@scenario("repeated-tool-id", "an id as Kimi makes them, repeated on every delta", "8.17")
async def repeated_tool_id(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    one, model = _offered(call)[0], call.model
    text = _arguments(one)
    call_id = f"functions.{one.name}:0"
    lines = [
        role(model),
        chunk(model, _call_delta(one, 0, call_id, "", name=True)),
        chunk(model, _call_delta(one, 0, call_id, text[:4], name=False)),
        chunk(model, _call_delta(one, 0, call_id, text[4:], name=True)),
        *ending(model, "tool_calls"),
    ]
    return _as_stream(reply, lines, call)


@scenario(
    "garbled-tool-call",
    "spoilt calls: shared-id, by-id, json-in-json, token, name-pieces, object or legacy",
    "8.27",
    form="shared-id",
)
async def garbled_tool_call(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    garbled = _GARBLED.get(params["form"])
    if garbled is None:
        raise UnknownScenario(f"form is {', '.join(_GARBLED)}")
    reply = await proceed()
    one, model = _offered(call)[0], call.model
    deltas = garbled(one, _arguments(one))
    lines = [role(model), *(chunk(model, delta) for delta in deltas), *ending(model, "tool_calls")]
    return _as_stream(reply, lines, call)


def _entry(one: ToolCall, arguments: str, **more: str) -> dict[str, Any]:
    return {**more, "type": "function", "function": {"name": one.name, "arguments": arguments}}


def _calls(*entries: Any) -> str:
    return orjson.dumps({"tool_calls": list(entries)}).decode()


def _shared_id(one: ToolCall, text: str) -> list[str]:
    """Two whole calls under one id, without an index."""
    return [_calls(_entry(one, text, id="call_0")), _calls(_entry(one, text, id="call_0"))]


def _by_id(one: ToolCall, text: str) -> list[str]:
    """Two calls piece by piece in turns, told apart by their ids alone."""
    ids = ("a", "b")
    return [
        *(_calls(_entry(one, text[:4], id=name)) for name in ids),
        *(_calls({"id": name, "function": {"arguments": text[4:]}}) for name in ids),
    ]


def _json_in_json(one: ToolCall, text: str) -> list[str]:
    encoded = chunks.quoted(text)
    rest = {"index": 0, "function": {"arguments": encoded[5:]}}
    return [_calls({"index": 0, **_entry(one, encoded[:5], id="call_0")}), _calls(rest)]


def _with_token(one: ToolCall, text: str) -> list[str]:
    named = ToolCall(f"functions.{one.name}<|channel|>commentary", one.arguments)
    return [_calls({"index": 0, **_entry(named, text, id="call_0")})]


def _name_pieces(one: ToolCall, text: str) -> list[str]:
    begun = ToolCall(one.name[:3], one.arguments)
    return [
        _calls({"index": 0, **_entry(begun, "", id="call_0")}),
        _calls({"index": 0, "function": {"name": one.name[3:]}}),
        _calls({"index": 0, "function": {"arguments": text}}),
    ]


def _object(one: ToolCall, text: str) -> list[str]:
    return [orjson.dumps({"tool_calls": _entry(one, text, id="call_0")}).decode()]


def _legacy(one: ToolCall, text: str) -> list[str]:
    pieces = ({"name": one.name, "arguments": text[:4]}, {"arguments": text[4:]})
    return [orjson.dumps({"function_call": piece}).decode() for piece in pieces]


_GARBLED: dict[str, Callable[[ToolCall, str], list[str]]] = {
    "shared-id": _shared_id,
    "by-id": _by_id,
    "json-in-json": _json_in_json,
    "token": _with_token,
    "name-pieces": _name_pieces,
    "object": _object,
    "legacy": _legacy,
}


@scenario(
    "leaked-tool-call",
    "a forced call spelled out as text: flat, arguments or list",
    "8.18",
    form="arguments",
)
async def leaked_tool_call(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    reply = await proceed()
    lines = [role(call.model), *content(call.model, *_leaked(call, params)), *ending(call.model)]
    return _as_stream(reply, lines, call)


def _leaked(call: Call, params: Params) -> list[str]:
    one = _offered(call)[0]
    forms: dict[str, Any] = {
        "flat": {"name": one.name, **one.arguments},
        "arguments": {"name": one.name, "arguments": one.arguments},
        "list": [{"name": one.name, "parameters": one.arguments}],
    }
    text = orjson.dumps(forms.get(params["form"], forms["arguments"])).decode()
    return [text[start : start + 6] for start in range(0, len(text), 6)]


@scenario("stop-with-tool-call", "`finish_reason: stop` although a tool is called", "8.19")
async def stop_with_tool_call(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    reply = await proceed()
    one, model = _offered(call)[0], call.model
    delta = _call_delta(one, 0, "call_1", _arguments(one), name=True)
    return _as_stream(reply, [role(model), chunk(model, delta), *ending(model)], call)


# --- The same in answers that are not streamed --------------------------------------------------


@whole("stop-with-tool-call")
def stop_with_tool_call_whole(data: Any, _params: Params) -> Any:
    for choice in choices_of(data):
        choice["finish_reason"] = "stop"
    return data


@whole("flat-tool-call", facts="9.5")
def flat_tool_call_whole(data: Any, _params: Params) -> Any:
    for choice in choices_of(data):
        message = choice["message"]
        called = message.get("tool_calls") or []
        message["tool_calls"] = [
            {
                "name": one["function"]["name"],
                "arguments": orjson.loads(one["function"]["arguments"]),
            }
            for one in called
        ]
    return data


@whole("text-arguments", "flat calls whose numbers have become text", "9.5")
def text_arguments(data: Any, params: Params) -> Any:
    flat_tool_call_whole(data, params)
    for choice in choices_of(data):
        for one in choice["message"]["tool_calls"]:
            one["arguments"] = {
                name: value if isinstance(value, str) else orjson.dumps(value).decode()
                for name, value in one["arguments"].items()
            }
    return data


@whole("empty-tool-calls")
def empty_tool_calls_whole(data: Any, _params: Params) -> Any:
    for choice in choices_of(data):
        choice["message"]["tool_calls"] = []
    return data


@whole("leaked-tool-call", facts="9.10")
def leaked_tool_call_whole(data: Any, params: Params) -> Any:
    for choice in choices_of(data):
        message = choice["message"]
        called = (message.pop("tool_calls", None) or [{}])[0].get("function")
        arguments = orjson.loads(called["arguments"]) if called else _WEATHER.arguments
        name = called["name"] if called else _WEATHER.name
        forms: dict[str, Any] = {
            "flat": {"name": name, **arguments},
            "list": [{"name": name, "parameters": arguments}],
        }
        shape = forms.get(params["form"], {"name": name, "arguments": arguments})
        message["content"] = orjson.dumps(shape).decode()
        choice["finish_reason"] = "stop"
    return data
