"""Models that turn texts into numbers: embeddings, and the ranks of a reranker. Pure."""

from collections.abc import Mapping
from typing import Any

from catalog.classify.facts import Classification, EmbeddingFacts
from catalog.classify.schema_fields import words_of
from catalog.classify.schema_shapes import Schema, alternatives, shapes
from catalog.entry import Entry, name_of, whole_number


def text_embeddings(entry: Entry, properties: Mapping[str, Any], schema: Schema) -> Classification:
    forms = shapes(schema.get("input"))
    form = next((form for form in forms if "text" in form.properties), None)
    if forms and not form:
        return Classification(refusals={"embeddings": "it takes no text"})
    text = form.properties["text"] if form else {}
    pooling = form.properties.get("pooling", {}) if form else {}
    batches = (whole_number(node.get("maxItems")) for node in alternatives(text))
    return Classification(
        endpoints=frozenset({"embeddings"}),
        embeddings=EmbeddingFacts(
            dimensions=whole_number(properties.get("output_dimensions")),
            max_batch=next((size for size in batches if size), None),
            max_input_tokens=whole_number(properties.get("max_input_tokens"))
            or whole_number(properties.get("context_window")),
            poolings=words_of(pooling.get("enum")),
        ),
    )


def text_classification(
    entry: Entry, properties: Mapping[str, Any], schema: Schema
) -> Classification:
    forms = shapes(schema.get("input"))
    ranks = any({"query", "contexts"} <= set(form.properties) for form in forms)
    if ranks or (not forms and "rerank" in name_of(entry).lower()):
        return Classification(endpoints=frozenset({"rerank"}))
    return Classification(refusals={"rerank": "it takes no query and documents"})
