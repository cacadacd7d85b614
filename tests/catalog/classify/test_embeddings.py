from catalog.classify.by_task import classify
from tests.catalog.entries import (
    EMBEDDINGS,
    entry,
    input_of,
)


def test_embeddings_know_dimensions_batch_and_length() -> None:
    flags = {"output_dimensions": "384", "max_input_tokens": "512"}
    found = classify(entry("@cf/baai/bge", "Text Embeddings", **flags), EMBEDDINGS)
    assert found.endpoints == {"embeddings"}
    assert found.embeddings.dimensions == 384
    assert found.embeddings.max_batch == 100
    assert found.embeddings.max_input_tokens == 512
    assert found.embeddings.poolings == ("mean", "cls")


def test_a_classifier_ranks_only_when_it_takes_query_and_contexts() -> None:
    ranker = input_of(query={"type": "string"}, contexts={"type": "array"})
    assert classify(entry("@cf/a/r", "Text Classification"), ranker).endpoints == {"rerank"}
    other = input_of(text={"type": "string"})
    assert classify(entry("@cf/a/c", "Text Classification"), other).endpoints == frozenset()
