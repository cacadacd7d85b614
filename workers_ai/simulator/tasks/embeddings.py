"""Text Embeddings and reranking: vectors that depend on the words, so that like texts are near."""

import hashlib
import math
import re
from typing import Any

from workers_ai.simulator.calls import Call
from workers_ai.simulator.models.families import properties
from workers_ai.simulator.models.metering import count_tokens, token_neurons, token_usage
from workers_ai.simulator.pacing import TASK_SECONDS
from workers_ai.simulator.replies import BadInput, Reply, bare, success
from workers_ai.simulator.validation import require_valid

_DIMENSIONS = {
    "bge-small": 384,
    "bge-base": 768,
    "bge-large": 1024,
    "bge-m3": 1024,
    "qwen3-embedding": 1024,
    "embeddinggemma": 768,
    "plamo": 2048,
}
WORD_FEATURES = 12


def dimensions_of(entry: dict[str, Any]) -> int:
    listed = properties(entry).get("output_dimensions")
    if listed:
        return int(listed)
    return next((size for part, size in _DIMENSIONS.items() if part in entry["name"]), 768)


def vector(text: str, dimensions: int, pooling: str = "mean") -> list[float]:
    """A unit vector: each word turns it a little, the same way in every text."""
    values = [0.0] * dimensions
    words = re.findall(r"\w+", text.lower()) or [text]
    for word in words:
        digest = hashlib.sha512(f"{pooling}:{word}".encode()).digest()
        for feature in range(WORD_FEATURES):
            place = int.from_bytes(digest[feature * 4 : feature * 4 + 4], "big")
            values[place % dimensions] += 1.0 if digest[48 + feature] & 1 else -1.0
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [round(value / length, 7) for value in values]


def similarity(left: str, right: str) -> float:
    """0 to 1, higher for texts that share words."""
    a, b = vector(left, 256), vector(right, 256)
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return round(1 / (1 + math.exp(-6 * (dot - 0.25))), 6)


async def run(call: Call) -> Reply:
    """`/ai/run` of an embedding model."""
    entry, body = call.entry(), call.json_object()
    require_valid(call.schema(), body)
    if "bge-m3" in call.model and "text" not in body:
        return await score_contexts(call)
    texts = _texts(body)
    limit = int(properties(entry).get("max_input_tokens") or 10**9)
    if any(count_tokens(text) > limit for text in texts):
        raise BadInput(f"a text is longer than {limit} tokens")
    await call.pace.wait(TASK_SECONDS)
    pooling = body.get("pooling", "mean")
    size = dimensions_of(entry)
    usage = token_usage(entry, sum(count_tokens(text) + 2 for text in texts))
    result = {
        "shape": [len(texts), size],
        "data": [vector(text, size, pooling) for text in texts],
        "pooling": pooling,
        "usage": usage,
    }
    return success(result, cf_ai_neurons=str(usage["neurons"]))


def _texts(body: dict[str, Any]) -> list[str]:
    for name in ("text", "documents", "queries"):
        if name in body:
            value = body[name]
            return [value] if isinstance(value, str) else list(value)
    raise BadInput("required properties at '/' are 'text'")


async def openai_embeddings(call: Call) -> Reply:
    """`/ai/v1/embeddings`: OpenAI's shape, and no usage."""
    body = call.json_object()
    entry = call.entry()
    if entry["task"]["name"] != "Text Embeddings":
        raise BadInput("oneOf at '/' not met, 0 matches: the model takes no input")
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise BadInput("Type mismatch of '/input', it must be text or a list of texts")
    require_valid(call.schema(), {"text": texts})
    await call.pace.wait(TASK_SECONDS)
    size = dimensions_of(entry)
    data = [
        {"object": "embedding", "embedding": vector(text, size), "index": index}
        for index, text in enumerate(texts)
    ]
    neurons = token_neurons(entry, sum(count_tokens(text) + 2 for text in texts))
    answer = {"object": "list", "data": data, "model": call.model}
    return bare(answer, cf_ai_neurons=str(neurons))


async def score_contexts(call: Call) -> Reply:
    """How well each passage answers the question, best first; `id` is its place in the request."""
    entry, body = call.entry(), call.json_object()
    require_valid(call.schema(), body)
    await call.pace.wait(TASK_SECONDS)
    query, passages = str(body.get("query", "")), [one.get("text", "") for one in body["contexts"]]
    scored = [
        {"id": index, "score": similarity(query, passage)} for index, passage in enumerate(passages)
    ]
    scored.sort(key=lambda one: -one["score"])
    tokens = sum(count_tokens(query) + count_tokens(passage) + 3 for passage in passages)
    neurons = token_neurons(entry, tokens)
    usage = {"prompt_tokens": tokens, "neurons": neurons}
    top = scored[: body.get("top_k") or len(scored)]
    return success({"response": top, "usage": usage}, cf_ai_neurons=str(neurons))
