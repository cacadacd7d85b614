"""How texts are put into batches, and what is no vector."""

from typing import Any

import orjson
import pytest

from catalog.classify.facts import EmbeddingFacts
from catalog.snapshot import ModelRecord
from openai_api.embeddings.normalise import entries
from openai_api.embeddings.request import EmbeddingsRequest
from openai_api.embeddings.translate import MOST_CHARACTERS, translate
from workers_ai.errors import UnusableAnswer


@pytest.mark.parametrize(
    ("texts", "most", "sizes"),
    [
        (["a"], 3, [1]),
        (["a"] * 3, 3, [3]),
        (["a"] * 7, 3, [3, 3, 1]),
        (["a"] * 33, None, [32, 1]),
        (["a" * (MOST_CHARACTERS // 2)] * 5, 100, [2, 2, 1]),
        (["a" * (2 * MOST_CHARACTERS), "b", "c"], 100, [1, 2]),
        (["b", "a" * (2 * MOST_CHARACTERS), "c"], 100, [1, 1, 1]),
    ],
)
def test_batches_hold_what_the_model_takes(
    texts: list[str], most: int | None, sizes: list[int]
) -> None:
    model = ModelRecord(name="m", embeddings=EmbeddingFacts(max_batch=most))
    plan = translate(EmbeddingsRequest(model="m", texts=tuple(texts)), model)
    assert [batch.count for batch in plan.batches] == sizes
    sent = [text for batch in plan.batches for text in orjson.loads(batch.body)["text"]]
    assert sent == texts
    assert plan.characters == sum(map(len, texts))
    assert [batch.first for batch in plan.batches] == [sum(sizes[:n]) for n in range(len(sizes))]


@pytest.mark.parametrize(
    "result",
    [
        None,
        [],
        {},
        {"data": None},
        {"data": []},
        {"data": [[1.0], [2.0]]},
        {"data": [[]]},
        {"data": ["AAAA"]},
        {"data": [[1.0, None]]},
        {"data": [[1.0, True]]},
        {"data": [[1.0, "2"]]},
        {"data": [[1e300]]},
    ],
)
def test_what_is_no_vector_is_unusable(result: Any) -> None:
    with pytest.raises(UnusableAnswer):
        entries(result, first=0, count=1, dimensions=None, as_base64=True)


def test_nothing_but_noughts_can_be_shortened() -> None:
    written = entries({"data": [[0, 0, 0.0]]}, first=4, count=1, dimensions=2, as_base64=False)
    assert orjson.loads(written) == {"object": "embedding", "index": 4, "embedding": [0, 0]}
