"""The guard model's verdicts → OpenAI's moderation answer. Pure.

A verdict comes as text (`unsafe` and the hazards on the next line) or as an object. Anything else
raises UnusableAnswer: a text is never called safe because a verdict is missing.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from openai_api.moderations.categories import CATEGORIES, categories_of
from openai_api.wire.ids import moderation_id
from workers_ai.errors import UnusableAnswer

_HAZARD = re.compile(r"\bS\d{1,2}\b", re.IGNORECASE)
_TRUTH = {"true": True, "safe": True, "false": False, "unsafe": False}


@dataclass(frozen=True, slots=True)
class Verdict:
    safe: bool
    hazards: tuple[str, ...] = ()


def verdict_of(result: Any) -> tuple[Verdict, int]:
    """The verdict, and the characters that the model wrote for it."""
    response = _response(result)
    if isinstance(response, str):
        return _from_text(response), len(response)
    if isinstance(response, dict):
        return _from_object(response), len(orjson.dumps(response))
    raise UnusableAnswer("Workers AI answered without a verdict")


def _response(result: Any) -> Any:
    if not isinstance(result, dict):
        return result
    choices = result.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        message = choices[0].get("message")
        return message.get("content") if isinstance(message, dict) else None
    return result.get("response", result)


def _from_text(text: str) -> Verdict:
    text = text.strip()
    if text.startswith("{"):
        try:
            return _from_object(orjson.loads(text))
        except orjson.JSONDecodeError:
            raise UnusableAnswer("Workers AI answered with half a verdict") from None
    word, _, rest = text.partition("\n")
    safe = _TRUTH.get(word.partition(" ")[0].strip(" .:,").lower())
    if safe is None:
        raise UnusableAnswer("Workers AI answered with a text that is no verdict")
    named = f"{word} {rest}"
    return Verdict(safe, () if safe else tuple(h.upper() for h in _HAZARD.findall(named)))


def _from_object(verdict: dict[str, Any]) -> Verdict:
    safe = verdict.get("safe")
    if isinstance(safe, str):
        safe = _TRUTH.get(safe.strip().lower())
    if not isinstance(safe, bool):
        raise UnusableAnswer("Workers AI answered with an object that is no verdict")
    named = verdict.get("categories")
    names = named if isinstance(named, list) else [named]
    found = [hazard.upper() for name in names for hazard in _HAZARD.findall(str(name))]
    return Verdict(safe, () if safe else tuple(found))


def moderation_answer(verdicts: list[Verdict], *, model: str) -> bytes:
    """OpenAI's body: one result a text."""
    results = [_result(verdict) for verdict in verdicts]
    return orjson.dumps({"id": moderation_id(), "model": model, "results": results})


def _result(verdict: Verdict) -> dict[str, Any]:
    """The guard gives no probabilities, so scores are 0 or 1."""
    found = categories_of(verdict.hazards)
    return {
        "flagged": not verdict.safe,
        "categories": {name: name in found for name in CATEGORIES},
        "category_scores": {name: float(name in found) for name in CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }
