"""Messages as agents send them are taken without a second look, as the long way would take them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from openai_api.errors import BadRequest
from openai_api.messages.request import messages as checked
from openai_api.messages.request import read
from openai_api.messages.translate import translate

Json = dict[str, Any]

odd = some.sampled_from([None, "", 5, [], {}, ["a"], True])


def mostly(usual: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    return usual | usual | usual | usual | odd


def an_object(**fields: some.SearchStrategy[Any]) -> some.SearchStrategy[Json]:
    return some.fixed_dictionaries({}, optional={name: mostly(one) for name, one in fields.items()})


words = some.sampled_from(["a", "b", "Part 3 is next."])
texts = an_object(type=some.just("text"), text=words)
kinds = ["text", "tool_use", "tool_result", "thinking", "fallback", "tool_addition"]
blocks = texts | an_object(
    type=some.sampled_from(kinds),
    text=words,
    id=words,
    name=words,
    input=some.just({"a": 1}),
    tool_use_id=words,
    content=words | some.lists(texts, max_size=2),
    thinking=words,
    is_error=some.booleans(),
)
messages = an_object(
    role=some.sampled_from(["user", "assistant", "user", "assistant", "system"]),
    content=words | some.lists(mostly(blocks), max_size=3),
)


def taken(conversation: list[Json]) -> Any:
    """The chat that is asked, or the refusal."""
    try:
        chat, _ = translate(read({"model": "m", "max_tokens": 9, "messages": conversation}))
    except BadRequest as refusal:
        return refusal.message, refusal.param, refusal.code
    return chat


@given(some.lists(mostly(messages), min_size=1, max_size=4))
@settings(max_examples=400, deadline=None)
def test_usual_messages_become_what_they_become_the_long_way(conversation: list[Json]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checked, "_is_usual", lambda message, calls: False)
        the_long_way = taken(conversation)
    assert taken(conversation) == the_long_way
