"""A moderation request → one call of a guard model for each text. Pure.

Comes in: a ModerationRequest. Goes out: a ModerationPlan.
"""

from dataclasses import dataclass

import orjson

from catalog.snapshot import ModelRecord
from openai_api.moderations.request import ModerationRequest

# A verdict should be the same each time; a temperature of exactly 0 fails on some models.
NEARLY_ZERO_TEMPERATURE = 1e-8
# The guard's description of its hazards stands before each text and counts as prompt.
CHARACTERS_OF_INSTRUCTIONS = 1000
# Room for a verdict that names every hazard.
MOST_VERDICT_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Judgement:
    """The body of one call, and the characters that the model reads."""

    body: bytes
    characters: int


@dataclass(frozen=True, slots=True)
class ModerationPlan:
    judgements: tuple[Judgement, ...]

    @property
    def characters(self) -> int:
        return sum(judgement.characters for judgement in self.judgements)

    def most_prompt_tokens(self) -> int:
        """No tokenizer makes more tokens of a text than it has bytes."""
        return sum(CHARACTERS_OF_INSTRUCTIONS + len(each.body) for each in self.judgements)


def translate(asked: ModerationRequest, model: ModelRecord) -> ModerationPlan:
    return ModerationPlan(tuple(_judgement(text) for text in asked.texts))


def _judgement(text: str) -> Judgement:
    payload = {
        "messages": [{"role": "user", "content": text}],
        "response_format": {"type": "json_object"},
        "temperature": NEARLY_ZERO_TEMPERATURE,
        "max_tokens": MOST_VERDICT_TOKENS,
    }
    return Judgement(orjson.dumps(payload), CHARACTERS_OF_INSTRUCTIONS + len(text))
