"""Workers AI's answers to typed questions → OpenAI's list of them, in the order asked. Pure.

Raises UnusableAnswer for what is no answer to each question.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from openai_api.decisions.request import Question, option_text
from openai_api.decisions.translate import question_id
from openai_api.use.usage import Usage
from workers_ai.errors import UnusableAnswer


def answers_of(result: Any, questions: Sequence[Question], first: int) -> list[dict[str, Any]]:
    """An answer for each question; `first` is the place of the first of them."""
    given = result.get("answers") if isinstance(result, dict) else None
    if not isinstance(given, dict):
        raise UnusableAnswer("Workers AI answered without answers")
    return [
        _answer(question, given.get(question_id(first + number)))
        for number, question in enumerate(questions)
    ]


def _answer(question: Question, answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise UnusableAnswer("Workers AI left a question without an answer")
    told: dict[str, Any] = {"type": question.type, "name": question.name}
    if question.type == "predicate":
        return {**told, "probability": _number(answer.get("noul"))}
    shares = answer.get("probabilities")
    if not isinstance(shares, dict):
        raise UnusableAnswer("Workers AI answered a question without probabilities")
    confidence = _number(answer.get("confidence"))
    if question.type == "choice":
        options = {option_text(value): value for value, _ in question.options}
        chosen = answer.get("choice")
        if chosen not in options:
            raise UnusableAnswer("Workers AI chose what was no choice")
        probabilities: list[dict[str, Any]] = [
            {"value": value, "probability": _number(shares.get(text, 0.0))}
            for text, value in options.items()
        ]
        told |= {"choice": options[chosen]}
    else:
        probabilities = [
            {"value": n, "label": label, "probability": _number(shares.get(str(n), 0.0))}
            for n, (label, _) in enumerate(question.options)
        ]
        told |= {"score": _number(answer.get("score"))}
    return {**told, "probabilities": probabilities, "confidence": confidence}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableAnswer("Workers AI answered with a probability that is no number")
    return value


def decision(answers: list[dict[str, Any]], *, model: str, usage: Usage) -> bytes:
    """The body, with usage as Responses have it; only the input is billed."""
    tokens, given = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return orjson.dumps(
        {
            "model": model,
            "answers": answers,
            "usage": {
                "input_tokens": tokens,
                "input_tokens_details": {
                    "cached_tokens": usage.cached_tokens or 0,
                    "cache_write_tokens": 0,
                },
                "output_tokens": given,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": tokens + given,
                **usage.shown_cost(),
            },
        }
    )
