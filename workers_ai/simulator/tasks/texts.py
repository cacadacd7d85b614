"""Small tasks on text: translation, summaries, sentiment, safety, and clef's closed questions."""

import re
from typing import Any

from workers_ai.simulator.calls import Call
from workers_ai.simulator.chat.answers import text_of
from workers_ai.simulator.models.families import context_window
from workers_ai.simulator.models.metering import count_tokens, token_neurons, token_usage
from workers_ai.simulator.pacing import TASK_SECONDS
from workers_ai.simulator.replies import Refusal, Reply, model_message, success
from workers_ai.simulator.validation import problems, require_valid

_GOOD = {"good", "great", "love", "loved", "excellent", "happy", "best", "wonderful", "like"}
_BAD = {"bad", "hate", "hated", "awful", "worst", "terrible", "sad", "poor", "boring", "angry"}
# The words that stand for a hazard class; the classes are Llama Guard's.
_HAZARDS = {
    "S1": ("kill", "murder", "attack", "stab"),
    "S2": ("steal", "launder", "fraud", "hack"),
    "S3": ("harass", "trafficking"),
    "S4": ("child abuse",),
    "S5": ("defame", "libel"),
    "S6": ("dosage", "insider tip"),
    "S7": ("home address", "passport number"),
    "S8": ("pirated", "counterfeit"),
    "S9": ("bomb", "explosive", "nerve agent", "bioweapon"),
    "S10": ("hate speech", "slur"),
    "S11": ("suicide", "self-harm"),
    "S12": ("erotic",),
    "S13": ("rig the election", "vote twice"),
    "S14": ("fork bomb", "escape the sandbox"),
}
_WORDS_FR = {"hello": "bonjour", "world": "monde", "cat": "chat", "thank": "merci", "yes": "oui"}
_WORDS_ES = {"hello": "hola", "world": "mundo", "cat": "gato", "thank": "gracias", "yes": "sí"}
_WORDS_DE = {"hello": "hallo", "world": "Welt", "cat": "Katze", "thank": "danke", "yes": "ja"}
_DICTIONARIES = {"fr": _WORDS_FR, "es": _WORDS_ES, "de": _WORDS_DE}


async def translate(call: Call) -> Reply:
    body = await _valid(call)
    if "indictrans" in call.model:
        texts = body["text"] if isinstance(body["text"], list) else [body["text"]]
        made = [_translated(text, body["target_language"]) for text in texts]
        result: dict[str, Any] = {"translations": made}
    else:
        texts = [body["text"]]
        made = [_translated(texts[0], body["target_lang"])]
        result = {"translated_text": made[0]}
    neurons = token_neurons(call.entry(), _tokens(texts), _tokens(made))
    return success(result, cf_ai_neurons=str(neurons))


def _translated(text: str, language: str) -> str:
    """Known words in the other language, else a note before the text: never the text unchanged."""
    names = {"french": "fr", "spanish": "es", "german": "de"}
    code = names.get(language.lower(), language.lower())
    known = _DICTIONARIES.get(code, {})
    words = re.sub(r"\w+", lambda found: known.get(found.group().lower(), found.group()), text)
    return words if words != text else f"[{code}] {text}"


def _tokens(texts: list[str]) -> int:
    return sum(count_tokens(text) for text in texts)


async def summarise(call: Call) -> Reply:
    body = await _valid(call)
    sentences = re.split(r"(?<=[.!?])\s+", body["input_text"].strip())
    summary = sentences[0] if len(sentences) < 3 else f"{sentences[0]} {sentences[-1]}"
    summary = summary[: max(1, int(body.get("max_length") or 1024))]
    neurons = token_neurons(call.entry(), count_tokens(body["input_text"]), count_tokens(summary))
    return success({"summary": summary}, cf_ai_neurons=str(neurons))


async def judge_sentiment(call: Call) -> Reply:
    """The result is a list, not an object."""
    body = await _valid(call)
    words = set(re.findall(r"\w+", body["text"].lower()))
    balance = len(words & _GOOD) - len(words & _BAD)
    positive = round(min(0.99, max(0.01, 0.5 + 0.49 * balance)), 4)
    result = [
        {"label": "NEGATIVE", "score": round(1 - positive, 4)},
        {"label": "POSITIVE", "score": positive},
    ]
    neurons = token_neurons(call.entry(), count_tokens(body["text"]))
    return success(result, cf_ai_neurons=str(neurons))


async def guard(call: Call) -> Reply:
    """Llama Guard: a verdict on the last message, as text or as an object."""
    body = await _valid(call)
    messages = body["messages"]
    last = text_of(messages[-1].get("content")).lower() if messages else ""
    found = [name for name, words in _HAZARDS.items() if any(word in last for word in words)]
    response: Any = "unsafe\n" + ",".join(found) if found else "safe"
    if (body.get("response_format") or {}).get("type") == "json_object":
        response = {"safe": not found, "categories": found}
    prompt = sum(count_tokens(text_of(one.get("content"))) + 4 for one in messages)
    usage = token_usage(call.entry(), prompt, 2 + len(found))
    result = {"response": response, "usage": usage}
    return success(result, cf_ai_neurons=str(usage["neurons"]))


async def answer_clef(call: Call) -> Reply:
    """Probabilities for closed questions. What fits no question type is a 422, not a 400."""
    body = call.json_object()
    wrong = problems(call.schema().get("input") or {}, body, "")
    if wrong and "questions" in body:
        raise Refusal(422, 5006, model_message(f"Bad input: Error: {', '.join(wrong)}"))
    require_valid(call.schema(), body)
    short_name = call.model.rsplit("/", 1)[-1]
    if body["model"].strip() != short_name:
        raise Refusal(422, 5006, model_message(f"Bad input: '/model' must be {short_name}"))
    tokens = count_tokens(str(body["state"])) + count_tokens(str(body["questions"]))
    if tokens > context_window(call.entry()):
        raise Refusal(413, 5021, model_message("The state and its questions are too large"))
    await call.pace.wait(TASK_SECONDS)
    answers = {name: _clef_answer(question) for name, question in body["questions"].items()}
    usage = {"input_tokens": tokens, "output_tokens": 0}
    result = {"model": short_name, "answers": answers, "usage": usage}
    return success(result, cf_ai_neurons=str(token_neurons(call.entry(), tokens)))


def _clef_answer(question: dict[str, Any]) -> dict[str, Any]:
    kind = question["type"]
    if kind == "noul":
        return {"type": kind, "noul": 0.8}
    options = list(question["criteria"]) if kind == "choice" else None
    count = len(question["criteria"])
    names = options or [str(n) for n in range(count)]
    share = round(0.4 / max(1, count - 1), 4) if count > 1 else 0.0
    probabilities = {name: 0.6 if n == 0 else share for n, name in enumerate(names)}
    shared: dict[str, Any] = {"type": kind, "probabilities": probabilities, "confidence": 0.6}
    if kind == "choice":
        return {**shared, "choice": names[0]}
    legend = {str(n): text for n, text in enumerate(question["criteria"])}
    return {**shared, "score": 0.4, "legend": legend}


async def _valid(call: Call) -> dict[str, Any]:
    body = call.json_object()
    require_valid(call.schema(), body)
    await call.pace.wait(TASK_SECONDS)
    return body
