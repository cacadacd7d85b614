"""Workers AI's vectors → OpenAI's list of embeddings. Pure.

Each batch is serialised as soon as it arrives, so that a large answer does not block the event loop
in one go. Raises UnusableAnswer for what is not one vector for each text.
"""

import base64
import math
import struct
from typing import Any

import orjson

from openai_api.use.usage import Usage
from workers_ai.errors import UnusableAnswer


def entries(
    result: Any, *, first: int, count: int, dimensions: int | None, as_base64: bool
) -> bytes:
    """The entries of one batch, joined by commas; the first has the index `first`."""
    vectors = result.get("data", result.get("response")) if isinstance(result, dict) else None
    if not isinstance(vectors, list) or len(vectors) != count:
        raise UnusableAnswer("Workers AI answered with other than one vector for each text")
    return b",".join(
        orjson.dumps(
            {
                "object": "embedding",
                "index": first + number,
                "embedding": _written(_vector(vector, dimensions), as_base64),
            }
        )
        for number, vector in enumerate(vectors)
    )


def _vector(vector: Any, dimensions: int | None) -> list[float]:
    if not isinstance(vector, list) or not vector or len(vector) < (dimensions or 0):
        raise UnusableAnswer("Workers AI answered with a vector that is too short")
    if not set(map(type, vector)) <= {float, int}:
        raise UnusableAnswer("Workers AI answered with a vector of other than numbers")
    if dimensions is None:
        return vector
    cut = vector[:dimensions]
    length = math.hypot(*cut)
    return [number / length for number in cut] if length else cut


def _written(vector: list[float], as_base64: bool) -> list[float] | str:
    """Numbers, or the base64 of little-endian floats of four bytes, as OpenAI has it."""
    if not as_base64:
        return vector
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (OverflowError, struct.error):
        raise UnusableAnswer("Workers AI answered with a number beyond a float's range") from None


def embeddings_answer(batches: list[bytes], *, model: str, usage: Usage) -> bytes:
    """OpenAI's body around the entries of all batches."""
    tokens = usage.prompt_tokens or 0
    counts = {"prompt_tokens": tokens, "total_tokens": tokens}
    rest = {"model": model, "usage": {**counts, **usage.shown_cost()}}
    return b'{"object":"list","data":[' + b",".join(batches) + b"]," + orjson.dumps(rest)[1:]
