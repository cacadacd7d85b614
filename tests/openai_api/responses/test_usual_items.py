"""Items as agents send them are taken without a second look, as the long way would take them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from openai_api.errors import BadRequest
from openai_api.responses.request import items as checked
from openai_api.responses.request import read
from openai_api.responses.translate import translate

Json = dict[str, Any]

odd = some.sampled_from([None, "", 5, [], {}, ["a"], True])


def mostly(usual: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    return usual | usual | usual | usual | odd


def an_object(**fields: some.SearchStrategy[Any]) -> some.SearchStrategy[Json]:
    return some.fixed_dictionaries({}, optional={name: mostly(one) for name, one in fields.items()})


words = some.sampled_from(["a", "b", "Part 3 is next."])
parts = an_object(
    type=some.sampled_from(["input_text", "output_text", "text", "refusal"]),
    text=words,
    refusal=words,
)
contents = words | some.lists(mostly(parts), max_size=2)
kinds = ["message", "function_call", "function_call_output", "web_search_call", "reasoning"]
items = an_object(
    type=some.sampled_from(kinds),
    role=some.sampled_from(["user", "assistant", "developer"]),
    content=contents,
    call_id=words,
    name=words,
    arguments=words,
    namespace=words,
    output=contents,
)


def taken(conversation: list[Json]) -> Any:
    """The chat that is asked, or the refusal."""
    try:
        chat, _ = translate(read({"model": "m", "input": conversation}))
    except BadRequest as refusal:
        return refusal.message, refusal.param, refusal.code
    return chat


@given(some.lists(mostly(items), min_size=1, max_size=4))
@settings(max_examples=400, deadline=None)
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
