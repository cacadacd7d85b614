"""Answers of /v1/responses against Open Responses' own types: `open_responses.py ORIGIN KEY MODEL…`
prints as JSON how many answers and events were valid, and what was not."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from openresponses_types import types
from pydantic import BaseModel, ValidationError

ORIGIN, KEY, *MODELS = sys.argv[1:]
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather at a place",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
BIRD = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
USER = {"role": "user", "content": "What is the weather in Paris?"}
CALL = {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"}
HEARD = {"type": "function_call_output", "call_id": "c1", "output": "Sunny"}
ASKED: list[dict[str, Any]] = [
    {"input": "Say hello"},
    {"input": "Say hello", "instructions": "Be brief.", "metadata": {"a": "b"}, "user": "ada"},
    {"input": "Say 300 words", "max_output_tokens": 40, "temperature": 0.5, "top_p": 0.9},
    {"input": [USER], "tools": [WEATHER]},
    {"input": [USER], "tools": [WEATHER], "tool_choice": "required"},
    {"input": [USER], "tools": [WEATHER], "parallel_tool_calls": False, "store": False},
    {
        "input": [USER],
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "name": "get_weather"},
    },
    {"input": [USER, CALL, HEARD], "tools": [WEATHER]},
    {
        "input": "Say hello",
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"],
    },
    {
        "input": "Describe a bird",
        "text": {"format": {"type": "json_schema", "name": "bird", "schema": BIRD}},
    },
    {"input": "Say hello [simulate error-3040]"},
    {"input": "Say 9 words [simulate cut-stream after=3]"},
]
# OpenAI's names of two events, which its SDKs read, and this specification's.
OF_OPENAI = {
    "response.reasoning_text.delta": "response.reasoning.delta",
    "response.reasoning_text.done": "response.reasoning.done",
}


def event_types() -> dict[str, type[BaseModel]]:
    """The types of events by the one value that each has for `type`."""
    found = {}
    for name in dir(types):
        if name.endswith("StreamingEvent"):
            event: type[BaseModel] = getattr(types, name)
            [value] = event.model_fields["type"].annotation
            found[str(value)] = event
    return found


def sent(body: dict[str, Any]) -> Iterator[bytes]:
    request = urllib.request.Request(
        f"{ORIGIN}/v1/responses",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        yield from response


def problems_of(kind: type[BaseModel], data: dict[str, Any]) -> list[str]:
    settings = data.get("response", data).get("text")
    form = settings.get("format", {}) if isinstance(settings, dict) else {}
    if "schema" in form:
        # OpenAI gives the schema back; these types take null alone for it.
        form["schema"] = None
    try:
        kind.model_validate(data)
    except ValidationError as error:
        return [f"{kind.__name__} {one['loc']}: {one['msg']}" for one in error.errors()]
    return []


valid, wrong = 0, []
EVENTS = event_types()
for model in MODELS:
    for asked in ASKED:
        where = f"{model} {json.dumps(asked)[:80]}"
        if "[simulate" not in str(asked["input"]):
            whole = json.loads(b"".join(sent({"model": model, **asked})))
            found = problems_of(types.ResponseResource, whole)
            wrong += [f"{where}: {one}" for one in found]
            valid += not found
        try:
            for line in sent({"model": model, **asked, "stream": True}):
                if not line.startswith(b"data: {"):
                    continue
                event = json.loads(line[6:])
                event["type"] = OF_OPENAI.get(event["type"], event["type"])
                found = problems_of(EVENTS[event["type"]], event)
                wrong += [f"{where}, streamed: {one}" for one in found]
                valid += not found
        except urllib.error.HTTPError as refused:
            # Before the first byte it is an answer like any other.
            if refused.code != 429:
                wrong.append(f"{where}: {refused.code}")
print(json.dumps({"valid": valid, "wrong": wrong}))
