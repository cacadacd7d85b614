"""Prices that are on the vendor's price page and not in its catalog (read 2026-10).

Used only for a model whose catalog entry has no price, or zeros alone, as aura-1's. An operator's
own price comes before both. Amounts are USD as `prices.UNITS` words them.
"""

from decimal import Decimal

from catalog.entry import Entry, name_of, properties_of
from catalog.pricing.prices import UNPRICED, Prices, parse_prices, prices_from_usd

_QUOTES: dict[str, dict[str, str]] = {
    "@cf/black-forest-labs/flux-1-schnell": {"tiles": "0.0000528", "steps": "0.0001056"},
    "@cf/openai/whisper": {"audio_minutes": "0.00045"},
    "@cf/myshell-ai/melotts": {"audio_minutes": "0.0002"},
    "@cf/deepgram/aura-1": {"characters": "0.015"},
    "@cf/baai/bge-reranker-base": {"input_tokens": "0.003"},
    "@cf/meta/m2m100-1.2b": {"input_tokens": "0.342", "output_tokens": "0.342"},
    "@cf/huggingface/distilbert-sst-2-int8": {"input_tokens": "0.026"},
}

PUBLISHED = {
    name: prices_from_usd({unit: Decimal(usd) for unit, usd in quotes.items()})
    for name, quotes in _QUOTES.items()
}


def prices_of(entry: Entry) -> tuple[Prices, str]:
    """The model's prices without the operator's own, and where they come from."""
    listed = parse_prices(properties_of(entry).get("price"))
    published = PUBLISHED.get(name_of(entry), UNPRICED)
    if published.is_known and (listed.is_free or not listed.is_known):
        return published, "published"
    return listed, "catalog" if listed.is_known else "unpriced"
