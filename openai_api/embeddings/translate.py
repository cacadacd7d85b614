"""An embeddings request → runs of Workers AI, each no larger than the model takes. Pure.

Comes in: an EmbeddingsRequest and the catalog's record. Goes out: an EmbeddingsPlan. Raises
BadRequest where the model cannot give what was asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from catalog.classify.facts import EmbeddingFacts
from catalog.snapshot import ModelRecord
from openai_api.embeddings.families import family_of
from openai_api.embeddings.request import EmbeddingsRequest
from openai_api.errors import BadRequest
from openai_api.wire.fields import wrong_value

# For models whose schema names no limit: the lowest that any other has.
USUAL_BATCH = 32
# A full batch of long texts is refused although each of them would fit.
MOST_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class Batch:
    """The body of one run, where its first text stood in the request, and how many it has."""

    body: bytes
    first: int
    count: int
    characters: int


@dataclass(frozen=True, slots=True)
class EmbeddingsPlan:
    batches: tuple[Batch, ...]
    # Cut the vectors to so many numbers; None leaves them as they come.
    dimensions: int | None

    @property
    def characters(self) -> int:
        return sum(batch.characters for batch in self.batches)

    def most_prompt_tokens(self) -> int:
        """No tokenizer makes more tokens of a text than it has bytes; a body has some around it."""
        return sum(len(batch.body) for batch in self.batches)


def translate(asked: EmbeddingsRequest, model: ModelRecord) -> EmbeddingsPlan:
    """The plan for this model; raises BadRequest."""
    facts = model.embeddings or EmbeddingFacts()
    settings: dict[str, Any] = {}
    if asked.pooling is not None:
        settings["pooling"] = _pooling(asked, facts)
    return EmbeddingsPlan(
        batches=tuple(_batches(asked.texts, facts.max_batch or USUAL_BATCH, settings)),
        dimensions=_dimensions(asked, model, facts),
    )


def _pooling(asked: EmbeddingsRequest, facts: EmbeddingFacts) -> str | None:
    if not facts.poolings:
        raise BadRequest(
            f"The model `{asked.model}` has one way of pooling: leave 'pooling' out.",
            param="pooling",
            code="unsupported_parameter",
        )
    if asked.pooling not in facts.poolings:
        choices = ", ".join(f"'{choice}'" for choice in facts.poolings)
        raise wrong_value("pooling", f"one of {choices}", asked.pooling)
    return asked.pooling


def _dimensions(asked: EmbeddingsRequest, model: ModelRecord, facts: EmbeddingFacts) -> int | None:
    """What to cut the vectors to; None where they have the wanted length as they are."""
    if asked.dimensions is None:
        return None
    family = family_of(model.name)
    whole = facts.dimensions or family.dimensions
    if asked.dimensions == whole:
        return None
    if family.shortest is None or whole is None:
        has = f"gives vectors of {whole} dimensions" if whole else "gives vectors of one length"
        raise BadRequest(
            f"The model `{asked.model}` {has}, which cannot be shortened: leave 'dimensions' out.",
            param="dimensions",
            code="unsupported_parameter",
        )
    if not family.shortest <= asked.dimensions <= whole:
        raise wrong_value(
            "dimensions",
            f"a whole number from {family.shortest} to {whole} for `{asked.model}`",
            asked.dimensions,
        )
    return asked.dimensions


def _batches(texts: Sequence[str], most_texts: int, settings: dict[str, Any]) -> Iterator[Batch]:
    first = 0
    while first < len(texts):
        end, characters = first, 0
        while end < len(texts) and end - first < most_texts:
            characters += len(texts[end])
            if characters > MOST_CHARACTERS and end > first:
                characters -= len(texts[end])
                break
            end += 1
        body = orjson.dumps({"text": texts[first:end], **settings})
        yield Batch(body, first, end - first, characters)
        first = end
