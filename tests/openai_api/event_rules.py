"""The rules of the two other streams, as a strict client has them: what may follow what."""

import json
from typing import Any, get_args

import anthropic.types as anthropic
import openai.types.responses as openai
from pydantic import BaseModel

from tests.openai_api.response_schema import assert_complete

Event = dict[str, Any]


def _by_type(union: Any) -> dict[str, type[BaseModel]]:
    """The models of an annotated union by the `type` that each has."""
    models = get_args(get_args(union)[0])
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}


RESPONSE_EVENTS = _by_type(openai.ResponseStreamEvent)
MESSAGE_EVENTS = _by_type(anthropic.RawMessageStreamEvent)


def events_of(stream: bytes | str) -> list[Event]:
    """The events of a stream, each checked to be named after its type; comments are left out."""
    text = stream.decode() if isinstance(stream, bytes) else stream
    assert text.endswith("\n\n")
    events = []
    for block in text[:-2].split("\n\n"):
        if block.startswith(":"):
            continue
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


# --- Responses --------------------------------------------------------------------------------


def assert_response(body: Event) -> None:
    """`body` is a `response` that ended, by OpenAI's own types."""
    assert_complete(body)
    assert body["object"] == "response"
    assert body["store"] is False
    assert body["id"].startswith("resp_")
    ids = [item["id"] for item in body["output"]]
    assert len(set(ids)) == len(ids)
    if body["status"] in ("completed", "incomplete"):
        usage = body["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert (body["status"] == "incomplete") == (body["incomplete_details"] is not None)


def assert_response_events(events: list[Event]) -> Event:
    """A stream in the one order that strict clients take; its last `response`."""
    for number, event in enumerate(events):
        RESPONSE_EVENTS[event["type"]].model_validate(event)
        assert event["sequence_number"] == number
        if "response" in event:
            assert_complete(event["response"])
    assert [e["type"] for e in events[:2]] == ["response.created", "response.in_progress"]
    last = events[-1]
    assert last["type"] in ("response.completed", "response.incomplete", "response.failed")
    assert last["response"]["id"] == events[0]["response"]["id"]
    assert_response(last["response"])
    middle = events[2:-1]
    if last["type"] == "response.failed":
        assert middle.pop()["type"] == "error"
        assert last["response"]["error"]["message"]
    items = _items_told(middle, whole=last["type"] != "response.failed")
    if last["type"] != "response.failed":
        assert items == last["response"]["output"]
    return dict(last["response"])


def _items_told(events: list[Event], *, whole: bool) -> list[Event]:
    """The items that were told, one to its end after the other."""
    items: list[Event] = []
    current: list[Event] = []
    for event in events:
        assert event["output_index"] == len(items), f"{event} is about another item"
        current.append(event)
        if event["type"] == "response.output_item.done":
            _assert_item(current)
            items.append(event["item"])
            current = []
    assert not (whole and current), "an item was not told to its end"
    return items


# The field that a call's events tell.
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}


def _assert_item(events: list[Event]) -> None:
    added, *inner, done = events
    item = done["item"]
    assert added["type"] == "response.output_item.added"
    assert added["item"]["id"] == item["id"]
    assert {event["item_id"] for event in inner} == {item["id"]}
    if item["type"] in _CALLS:
        *deltas, end = inner
        field = _CALLS[item["type"]]
        name = f"response.{item['type']}_{field}"
        assert end["type"] == f"{name}.done"
        assert end[field] == item[field] == "".join(e["delta"] for e in deltas)
        assert {event["type"] for event in deltas} <= {f"{name}.delta"}
        return
    opens, *deltas, end, closes = inner
    parts = item.get("summary") or item["content"]
    assert [closes["part"]] == parts
    assert opens["type"].removesuffix(".added") == closes["type"].removesuffix(".done")
    text = parts[0].get("text", parts[0].get("refusal"))
    assert "".join(event["delta"] for event in deltas) == text
    assert end.get("text", end.get("refusal")) == text
    assert {e["type"].removesuffix(".delta") for e in deltas} <= {end["type"].removesuffix(".done")}


# --- Messages ---------------------------------------------------------------------------------


def assert_message(body: Event) -> None:
    """`body` is a `message` by Anthropic's own types."""
    anthropic.Message.model_validate(body)
    assert body["type"] == "message"
    assert body["role"] == "assistant"
    calls = [block for block in body["content"] if block["type"] == "tool_use"]
    if body["stop_reason"] == "tool_use":
        assert calls
    assert (body["stop_reason"] == "stop_sequence") == (body["stop_sequence"] is not None)


def assert_message_events(events: list[Event]) -> Event:
    """A stream in the one order that strict clients take; the message that it told."""
    failed = events[-1]["type"] == "error"
    for event in events:
        if event["type"] not in ("ping", "error"):
            MESSAGE_EVENTS[event["type"]].model_validate(event)
    told = [event for event in events if event["type"] != "ping"]
    assert told[0]["type"] == "message_start"
    message: Event = told[0]["message"]
    assert message["content"] == []
    assert message["usage"]["input_tokens"] > 0
    if failed:
        assert told[-1]["error"]["message"]
        return message
    _, *blocks, delta, stop = told
    assert (delta["type"], stop["type"]) == ("message_delta", "message_stop")
    current: list[Event] = []
    for event in blocks:
        assert event["index"] == len(message["content"]), f"{event} is about another block"
        current.append(event)
        if event["type"] == "content_block_stop":
            message["content"].append(_block(current))
            current = []
    assert current == [], "a block was not told to its end"
    message |= delta["delta"]
    message["usage"] = delta["usage"]
    assert_message(message)
    return message


def _block(events: list[Event]) -> Event:
    start, *deltas, _ = events
    assert start["type"] == "content_block_start"
    block: Event = start["content_block"]
    if block["type"] == "tool_use":
        assert block["input"] == {}
        text = "".join(event["delta"]["partial_json"] for event in deltas)
        try:
            block["input"] = json.loads(text)
        except ValueError:
            block["input"] = {"arguments": text}
        return block
    if block["type"] == "thinking":
        *deltas, signed = deltas
        block["signature"] = signed["delta"]["signature"]
        assert block["signature"]
    field = block["type"]
    block[field] = "".join(event["delta"][field] for event in deltas)
    return block
