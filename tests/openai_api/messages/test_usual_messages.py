"""Messages as agents send them are taken without a second look, as the long way would take them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from openai_api.errors import BadRequest
from openai_api.messages.request import messages as checked
from openai_api.messages.request import read
from openai_api.messages.translate import translate
from tests.openai_api.nearly_whole import Json, an_object, words

texts = an_object(type="text", text=words)
calls = an_object(type="tool_use", id=words, name=words, input=some.just({"a": 1}))
results = an_object(
    type="tool_result",
    tool_use_id=words,
    content=words | some.lists(texts, max_size=2),
    is_error=some.booleans(),
)
others = an_object(type="thinking", thinking=words) | an_object(type="fallback")
asked = an_object(role="user", content=words | some.lists(results | texts, max_size=3))
said = an_object(role="assistant", content=words | some.lists(calls | texts | others, max_size=3))
messages = asked | said | an_object(role="system", content=words)


def taken(conversation: list[Json]) -> Any:
    """The chat that is asked after a call, or the refusal."""
    call = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    messages = [{"role": "assistant", "content": [call]}, *conversation]
    try:
        chat, _ = translate(read({"model": "m", "max_tokens": 9, "messages": messages}))
    except BadRequest as refusal:
        return refusal.message, refusal.param, refusal.code
    return chat


@given(some.lists(messages, min_size=1, max_size=3))
@settings(max_examples=800, deadline=None)
def test_usual_messages_become_what_they_become_the_long_way(conversation: list[Json]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checked, "_is_usual", lambda message, calls: False)
        the_long_way = taken(conversation)
    assert taken(conversation) == the_long_way


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("", 5, None)),
        ("description", 5),
        *(("input_schema", value) for value in ("x", None)),
        ("defer_loading", "x"),
    ],
)
def test_a_tool_that_is_usual_but_for_one_field_is_refused(field: str, value: Any) -> None:
    tool = {"name": "f", "description": "d", "input_schema": {}, field: value}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}
    with pytest.raises(BadRequest) as refused:
        read({**body, "tools": [tool]})
    assert refused.value.param == f"tools[0].{field}"
