"""Workers AI's scores → the answer that Cohere's and Jina's clients read. Pure.

Raises UnusableAnswer for what is no list of scored documents.
"""

from typing import Any

import orjson

from openai_api.rerank.request import RerankRequest
from openai_api.use.usage import Usage
from openai_api.wire.ids import rerank_id
from workers_ai.errors import UnusableAnswer


def scores_of(result: Any, *, documents: int) -> list[tuple[int, float]]:
    """(index in the request, score) of each document that came back, best first."""
    rows = result.get("response") if isinstance(result, dict) else result
    if not isinstance(rows, list) or not rows:
        raise UnusableAnswer("Workers AI answered without scores")
    scores: dict[int, float] = {}
    for row in rows:
        index = row.get("id") if isinstance(row, dict) else None
        score = row.get("score") if isinstance(row, dict) else None
        if type(index) is not int or not 0 <= index < documents or index in scores:
            raise UnusableAnswer("Workers AI answered with a score of no document")
        if type(score) is not float and type(score) is not int:
            raise UnusableAnswer("Workers AI answered with a score that is no number")
        scores[index] = score
    return sorted(scores.items(), key=lambda scored: -scored[1])


def rerank_answer(asked: RerankRequest, scores: list[tuple[int, float]], usage: Usage) -> bytes:
    """The body; `usage` as Jina has it, `meta` as Cohere has it."""
    tokens = usage.prompt_tokens or 0
    return orjson.dumps(
        {
            "id": rerank_id(),
            "object": "list",
            "model": asked.model,
            "results": [_entry(asked, index, score) for index, score in scores[: asked.top_n]],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens, **usage.shown_cost()},
            "meta": {"tokens": {"input_tokens": tokens, "output_tokens": 0}},
        }
    )


def _entry(asked: RerankRequest, index: int, score: float) -> dict[str, Any]:
    entry: dict[str, Any] = {"index": index, "relevance_score": score}
    if asked.return_documents:
        document = asked.documents[index]
        entry["document"] = document if isinstance(document, dict) else {"text": document}
    return entry
