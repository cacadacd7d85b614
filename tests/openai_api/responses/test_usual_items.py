"""Items as agents send them are taken without a second look, as the long way would take them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from openai_api.errors import BadRequest
from openai_api.responses.request import items as checked
from openai_api.responses.request import read
from openai_api.responses.translate import translate
from tests.openai_api.nearly_whole import Json, an_object, words

parts = an_object(type="input_text", text=words) | an_object(type="refusal", refusal=words)
contents = words | some.lists(parts, max_size=2)
roles = some.sampled_from(["user", "assistant", "developer"])
items = (
    an_object(type="message", role=roles, content=contents)
    | an_object(type="function_call", call_id=words, name=words, arguments=words)
    | an_object(type="function_call", call_id=words, name=words, arguments=words, namespace=words)
    | an_object(type="function_call_output", call_id=words, output=contents)
    | an_object(type="web_search_call", id=words)
)


def taken(conversation: list[Json]) -> Any:
    """The chat that is asked after a call, or the refusal."""
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    try:
        chat, _ = translate(read({"model": "m", "input": [call, *conversation]}))
    except BadRequest as refusal:
        return refusal.message, refusal.param, refusal.code
    return chat


@given(some.lists(items, min_size=1, max_size=3))
@settings(max_examples=800, deadline=None)
def test_usual_items_become_what_they_become_the_long_way(conversation: list[Json]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checked, "_is_usual", lambda item, calls: False)
        the_long_way = taken(conversation)
    assert taken(conversation) == the_long_way


def test_a_users_parts_of_text_are_one_text_and_instructions_in_parts_stay_apart() -> None:
    said = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    conversation = [{"role": role, "content": said} for role in ("developer", "user")]
    chat, _ = translate(read({"model": "m", "instructions": "Be kind.", "input": conversation}))
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert chat.messages == [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": parts},
        {"role": "user", "content": "a\nb"},
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("", 5, None)),
        ("description", 5),
        ("parameters", "x"),
        ("strict", "x"),
    ],
)
def test_a_tool_that_is_usual_but_for_one_field_is_refused(field: str, value: Any) -> None:
    tool = {"type": "function", "name": "f", "description": "d", "parameters": {}, field: value}
    with pytest.raises(BadRequest) as refused:
        read({"model": "m", "input": "a", "tools": [tool]})
    assert refused.value.param == f"tools[0].{field}"
