"""A decision request → runs of Workers AI, each with as many questions as a model takes. Pure.

Comes in: a DecisionRequest and the catalog's record. Goes out: a DecisionPlan. Raises BadRequest
where the model cannot do what was asked. Source: the schema that the models publish.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from catalog.classify.facts import DecisionFacts
from catalog.snapshot import ModelRecord
from openai_api.decisions.request import DecisionRequest, Question, option_text
from openai_api.errors import BadRequest

# A picture costs 64 to 1,024 tokens.
MOST_TOKENS_OF_A_PICTURE: Final = 1_024


@dataclass(frozen=True, slots=True)
class Batch:
    """The body of one run with its questions, the first of which stood at `first`."""

    body: bytes
    first: int
    questions: Sequence[Question]
    characters: int


@dataclass(frozen=True, slots=True)
class DecisionPlan:
    batches: tuple[Batch, ...]
    pictures: int

    @property
    def characters(self) -> int:
        return sum(batch.characters for batch in self.batches)

    def most_prompt_tokens(self) -> int:
        """No tokenizer makes more tokens of a text than it has bytes."""
        texts = sum(4 * batch.characters for batch in self.batches)
        return texts + self.pictures * len(self.batches) * MOST_TOKENS_OF_A_PICTURE


def translate(asked: DecisionRequest, model: ModelRecord) -> DecisionPlan:
    """The plan for this model; raises BadRequest."""
    facts = model.decisions or DecisionFacts()
    images = [_picture(part, at) for part, at in asked.pictures]
    if len(images) > facts.most_images:
        takes = f"at most {facts.most_images} pictures" if facts.most_images else "no pictures"
        raise BadRequest(
            f"The model `{asked.model}` takes {takes}.",
            param=asked.pictures[facts.most_images][1],
            code="unsupported_content",
        )
    # `model` in the body is the last part of the name.
    head: dict[str, Any] = {"model": model.name.rsplit("/", 1)[-1], "state": asked.state}
    if images:
        head["images"] = images
    state_characters = len(orjson.dumps(asked.state))
    step = facts.most_questions
    return DecisionPlan(
        tuple(
            _batch(asked.questions[first : first + step], first, head, state_characters)
            for first in range(0, len(asked.questions), step)
        ),
        len(images),
    )


def _batch(
    questions: Sequence[Question], first: int, head: dict[str, Any], state_characters: int
) -> Batch:
    told = {question_id(first + n): _question(one) for n, one in enumerate(questions)}
    characters = state_characters + len(orjson.dumps(told))
    return Batch(orjson.dumps({**head, "questions": told}), first, questions, characters)


def question_id(number: int) -> str:
    """Of a question by its place: names may be left out, and given twice."""
    return f"q{number}"


def _question(question: Question) -> dict[str, Any]:
    if question.type == "predicate":
        return {"type": "noul", "instructions": question.instructions}
    if question.type == "choice":
        return {
            "type": "choice",
            "instructions": question.instructions,
            "criteria": {option_text(value): told for value, told in question.options},
        }
    return {
        "type": "score",
        "instructions": question.instructions,
        "criteria": [
            f"{label}: {told}" if told else str(label) for label, told in question.options
        ],
    }


def _picture(part: dict[str, Any], at: str) -> str:
    url: str = part["image_url"]["url"]
    if url[:4].lower() != "http" and url[:5].lower() != "data:":
        raise BadRequest(
            "An image must be an http(s) URL or a data URL.", param=at, code="invalid_image"
        )
    return url
