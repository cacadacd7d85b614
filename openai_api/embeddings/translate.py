"""An embeddings request → runs of Workers AI, each no larger than the model takes. Pure.

Comes in: an EmbeddingsRequest and the catalog's record. Goes out: an EmbeddingsPlan. Raises
BadRequest where the model cannot give what was asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from catalog import learnt
from catalog.classify.facts import EmbeddingFacts
from catalog.snapshot import ModelRecord
from openai_api.embeddings.families import family_of
from openai_api.embeddings.request import EmbeddingsRequest
from openai_api.errors import BadRequest
from openai_api.use.token_estimate import estimates
from openai_api.wire.fields import wrong_value

# For models whose schema names no limit: the lowest limit of any other.
USUAL_BATCH = 32
# A full batch of long texts is refused although each of them would fit.
MOST_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class Batch:
    """The body of one run, and where the first of its texts stood in the request."""

    body: bytes
    first: int
    texts: Sequence[str]
    settings: Mapping[str, Any]

    @property
    def count(self) -> int:
        return len(self.texts)

    @property
    def characters(self) -> int:
        return sum(map(len, self.texts))

    def halves(self) -> tuple["Batch", "Batch"]:
        """Two runs in its place, for a model that finds it too large."""
        middle = self.count // 2
        return (
            _batch(self.texts[:middle], self.first, self.settings),
            _batch(self.texts[middle:], self.first + middle, self.settings),
        )


def _batch(texts: Sequence[str], first: int, settings: Mapping[str, Any]) -> Batch:
    return Batch(orjson.dumps({"text": texts, **settings}), first, texts, settings)


@dataclass(frozen=True, slots=True)
class EmbeddingsPlan:
    batches: tuple[Batch, ...]
    # The number of dimensions to cut the vectors to; None leaves them as they come.
    dimensions: int | None

    @property
    def characters(self) -> int:
        return sum(batch.characters for batch in self.batches)

    def most_prompt_tokens(self) -> int:
        """No tokenizer makes more tokens of a text than it has bytes; the body has some more around
        it.
        """
        return sum(len(batch.body) for batch in self.batches)


def translate(asked: EmbeddingsRequest, model: ModelRecord) -> EmbeddingsPlan:
    """The plan for this model; raises BadRequest."""
    facts = model.embeddings or EmbeddingFacts()
    settings: dict[str, Any] = {}
    if asked.pooling is not None:
        settings["pooling"] = _pooling(asked, facts)
    return EmbeddingsPlan(
        batches=tuple(
            _batches(
                asked.texts,
                facts.max_batch or USUAL_BATCH,
                learnt.of(model.name).batch_tokens,
                settings,
            )
        ),
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


def _batches(
    texts: Sequence[str], most_texts: int, most_tokens: int | None, settings: dict[str, Any]
) -> Iterator[Batch]:
    first = 0
    while first < len(texts):
        end, characters, tokens = first, 0, 0
        while end < len(texts) and end - first < most_texts:
            characters += len(texts[end])
            if most_tokens is not None:
                tokens += estimates(texts[end : end + 1])[0]
            if end > first and (
                characters > MOST_CHARACTERS or (most_tokens is not None and tokens > most_tokens)
            ):
                break
            end += 1
        yield _batch(texts[first:end], first, settings)
        first = end
