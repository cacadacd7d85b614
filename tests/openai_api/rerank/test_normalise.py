"""What upstream's scores may look like."""

from typing import Any

import pytest

from openai_api.rerank.normalise import scores_of
from workers_ai.errors import UnusableAnswer


def test_scores_are_put_in_order() -> None:
    rows = [{"id": 0, "score": 0.1}, {"id": 2, "score": 1}, {"id": 1, "score": 0.5}]
    assert scores_of({"response": rows}, documents=3) == [(2, 1), (1, 0.5), (0, 0.1)]
    assert scores_of(rows, documents=3)[0] == (2, 1)


@pytest.mark.parametrize(
    "result",
    [
        None,
        {},
        {"response": None},
        {"response": []},
        {"response": [3]},
        {"response": [{"id": 0}]},
        {"response": [{"id": True, "score": 0.5}]},
        {"response": [{"id": 2, "score": 0.5}]},
        {"response": [{"id": -1, "score": 0.5}]},
        {"response": [{"id": 0, "score": "high"}]},
        {"response": [{"id": 0, "score": 0.5}, {"id": 0, "score": 0.4}]},
    ],
)
def test_what_is_no_score_is_unusable(result: Any) -> None:
    with pytest.raises(UnusableAnswer):
        scores_of(result, documents=2)
