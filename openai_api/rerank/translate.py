"""A rerank request → one run of Workers AI. Pure.

Comes in: a RerankRequest. Goes out: a RerankPlan.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from catalog.snapshot import ModelRecord
from openai_api.rerank.request import RerankRequest


@dataclass(frozen=True, slots=True)
class RerankPlan:
    """The body of the run, and the characters that the model reads: the query with each text."""

    body: bytes
    characters: int

    def most_prompt_tokens(self) -> int:
        """No tokenizer makes more tokens of a text than it has bytes: up to four a character."""
        return len(self.body) + self.characters * (1 if self.body.isascii() else 4)


def translate(asked: RerankRequest, model: ModelRecord) -> RerankPlan:
    payload: dict[str, Any] = {
        "query": asked.query,
        "contexts": [{"text": text} for text in asked.texts],
    }
    if asked.top_n < len(asked.texts):
        payload["top_k"] = asked.top_n
    return RerankPlan(
        body=orjson.dumps(payload),
        characters=sum(map(len, asked.texts)) + len(asked.query) * len(asked.texts),
    )
