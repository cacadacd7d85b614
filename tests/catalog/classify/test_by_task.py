import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.classify.by_task import classify, needs_schema, without_schema
from catalog.classify.facts import (
    ENDPOINTS,
    classification_to_json,
)
from tests.catalog.entries import (
    LEGACY_CHAT,
    Json,
    entry,
)


@pytest.mark.parametrize(
    "task",
    [
        "Voice Activity Detection",
        "Image-to-Text",
        "Translation",
        "Object Detection",
        "",
        "New Task",
    ],
)
def test_tasks_that_no_endpoint_runs_are_served_by_none_and_need_no_schema(task: str) -> None:
    listed = entry("@cf/a/b", task)
    assert classify(listed, LEGACY_CHAT).endpoints == frozenset()
    assert not needs_schema(listed)


def test_false_in_words_is_no_capability() -> None:
    found = classify(entry("@cf/a/b", beta="false", partner="true"), {})
    assert "beta" not in found.capabilities
    assert "partner" in found.capabilities


def test_a_model_whose_schema_is_unread_says_so_and_is_served_by_none() -> None:
    found = without_schema(entry("@cf/a/b", context_window="8000"))
    assert found.endpoints == frozenset()
    assert found.refusals["chat"] == "its schema could not be read yet"
    assert found.context_window == 8000


WORDS = st.sampled_from(
    [
        "type",
        "properties",
        "oneOf",
        "anyOf",
        "allOf",
        "required",
        "enum",
        "default",
        "items",
        "messages",
        "prompt",
        "image",
        "mask",
        "multipart",
        "audio",
        "text",
        "input",
        "output",
        "string",
        "object",
        "array",
        "integer",
        "binary",
        "format",
        "reasoning",
        "effort",
        "unit",
        "price",
        "property_id",
        "value",
        "name",
        "task",
        "normalizes_to",
    ]
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)
TASKS = st.sampled_from(
    (
        "Text Generation",
        "Text-to-Image",
        "Text Embeddings",
        "Text Classification",
        "Automatic Speech Recognition",
        "Text-to-Speech",
        "Anything",
    )
)


@settings(max_examples=60)
@given(task=TASKS, schema_input=ODD, output=ODD, values=st.dictionaries(WORDS, ODD, max_size=4))
def test_odd_schemas_and_properties_never_raise(
    task: str, schema_input: Any, output: Any, values: dict[str, Any]
) -> None:
    flags = {"reasoning_effort": values, "vision": values.get("value"), "price": schema_input}
    found = classify(entry("@cf/a/b", task, **flags), {"input": schema_input, "output": output})
    assert found.endpoints <= ENDPOINTS
    json.dumps(classification_to_json(found), allow_nan=False)


@settings(max_examples=40)
@given(odd=st.dictionaries(WORDS, ODD))
def test_odd_entries_never_raise(odd: dict[str, Any]) -> None:
    classify(odd, {})
    needs_schema(odd)
    without_schema(odd)


def test_a_schema_nested_without_end_is_read_to_a_bound() -> None:
    node: Json = {"properties": {"messages": {}}}
    for _ in range(200):
        node = {"oneOf": [node, node]}
    assert classify(entry("@cf/a/b"), {"input": node}).endpoints <= ENDPOINTS
