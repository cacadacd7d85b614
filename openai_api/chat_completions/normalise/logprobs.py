"""Log probabilities with all the fields that OpenAI's have, whatever upstream left out. Pure."""

import math
from typing import Any, Final

# OpenAI's word for a token that is too unlikely to be counted; JSON has no infinity.
_UNLIKELY: Final = -9999.0


def logprobs_of(entries: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            **_logprob(entry),
            "top_logprobs": [_logprob(top) for top in _dicts(entry.get("top_logprobs"))],
        }
        for entry in _dicts(entries)
    ]


def _logprob(entry: dict[str, Any]) -> dict[str, Any]:
    token, number, read = entry.get("token"), entry.get("logprob"), entry.get("bytes")
    is_number = isinstance(number, int | float) and math.isfinite(number)
    token = token if isinstance(token, str) else ""
    if not isinstance(read, list):
        # A piece of a character is shown by the sign for what cannot be read.
        read = (
            [] if "\N{REPLACEMENT CHARACTER}" in token else list(token.encode("utf-8", "replace"))
        )
    return {"token": token, "logprob": number if is_number else _UNLIKELY, "bytes": read}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
