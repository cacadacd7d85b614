"""Tokens, prices and neurons: the usage that a run reports. Pure."""

import math
import re
from collections.abc import Iterable
from typing import Any

USD_PER_NEURON = 0.000011
MESSAGE_OVERHEAD_TOKENS = 4
IMAGE_TOKENS = 576

# A run of digits is a token of its own, as with Llama's tokenizer: that is what turns up as a bare
# JSON number in some streams.
_TOKEN = re.compile(r"\d{1,3}|\s?[^\W\d]{1,8}|[^\w\s]|\s")

# The pricing page bills these although their catalog entries carry no price.
UNLISTED_PRICES: dict[str, dict[str, float]] = {
    "@cf/baai/bge-reranker-base": {"per M input tokens": 0.003},
    "@cf/huggingface/distilbert-sst-2-int8": {"per M input tokens": 0.026},
    "@cf/meta/m2m100-1.2b": {"per M input tokens": 0.342, "per M output tokens": 0.342},
    "@cf/openai/whisper": {"per audio minute": 0.00045},
    "@cf/myshell-ai/melotts": {"per audio minute": 0.0002},
    "@cf/deepgram/aura-1": {"per 1k characters": 0.015},
    "@cf/black-forest-labs/flux-1-schnell": {
        "per 512 by 512 tile": 0.0000528,
        "per step": 0.0001056,
    },
}


def split_tokens(text: str) -> list[str]:
    """Text cut into the pieces that the simulated models think in; joined they are the text."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    return len(split_tokens(text))


def price_list(entry: dict[str, Any]) -> dict[str, float]:
    """Price per unit text; empty when neither the catalog nor the pricing page names one."""
    for item in entry.get("properties") or []:
        if item["property_id"] == "price" and any(one["price"] for one in item["value"]):
            return {one["unit"]: float(one["price"]) for one in item["value"]}
    return UNLISTED_PRICES.get(entry["name"], {})


def neurons(usd: float) -> float:
    return round(usd / USD_PER_NEURON, 4)


def token_neurons(
    entry: dict[str, Any], prompt_tokens: int, completion_tokens: int = 0, cached_tokens: int = 0
) -> float:
    prices = price_list(entry)
    dear = prices.get("per M input tokens", 0.0)
    cheap = prices.get("per M cached input tokens", dear)
    out = prices.get("per M output tokens", 0.0)
    usd = (prompt_tokens - cached_tokens) * dear + cached_tokens * cheap + completion_tokens * out
    return neurons(usd / 1e6)


def token_usage(
    entry: dict[str, Any], prompt_tokens: int, completion_tokens: int = 0, cached_tokens: int = 0
) -> dict[str, Any]:
    """Usage in the shape of a chat answer, with the vendor's `neurons`."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
        "neurons": token_neurons(entry, prompt_tokens, completion_tokens, cached_tokens),
    }


def tiles(width: int, height: int) -> int:
    return math.ceil(width / 512) * math.ceil(height / 512)


def image_neurons(
    entry: dict[str, Any],
    width: int,
    height: int,
    steps: int,
    references: Iterable[tuple[int, int]] = (),
) -> float:
    """Neurons of one picture, from whichever of the units the model is priced in."""
    inputs = list(references)
    in_tiles = sum(tiles(*size) for size in inputs)
    in_mp = sum(w * h / 1024**2 for w, h in inputs)
    out_mp = max(1, math.ceil(width * height / 1024**2))
    quantities = {
        "per 512 by 512 tile": tiles(width, height),
        "per step": steps,
        "per input 512x512 tile": in_tiles,
        "per output 512x512 tile": tiles(width, height),
        "per input 512x512 tile, per step": in_tiles * steps,
        "per output 512x512 tile, per step": tiles(width, height) * steps,
        "per first MP (1024x1024)": 1,
        "per subsequent MP": out_mp - 1,
        "per input image MP": in_mp,
    }
    prices = price_list(entry)
    return neurons(sum(price * quantities.get(unit, 0) for unit, price in prices.items()))


def audio_neurons(entry: dict[str, Any], seconds: float) -> float:
    return neurons(price_list(entry).get("per audio minute", 0.0) * seconds / 60)


def speech_neurons(entry: dict[str, Any], characters: int, seconds: float) -> float:
    prices = price_list(entry)
    per_thousand = prices.get("per 1k chars input", prices.get("per 1k characters", 0.0))
    usd = per_thousand * characters / 1000 + prices.get("per audio minute", 0.0) * seconds / 60
    return neurons(usd)
