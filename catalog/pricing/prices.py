"""Prices by unit: read from the catalog's words or an operator's form, kept as JSON. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import orjson

NANO_USD_PER_USD = 10**9
UNITS_PER_AMOUNT = 10**6

# Above this a price is a mistake, and its product with a large request might not fit a column.
HIGHEST_USD = Decimal(1_000_000)

# Unit → how its price reads, as the operator's form and the admin list show it.
UNITS = {
    "input_tokens": "per M input tokens",
    "cached_input_tokens": "per M cached input tokens",
    "output_tokens": "per M output tokens",
    "audio_minutes": "per audio minute",
    "characters": "per 1k characters",
    "tiles": "per 512x512 tile",
    "steps": "per step",
    "input_tiles": "per input 512x512 tile",
    "output_tiles": "per output 512x512 tile",
    "input_tile_steps": "per input 512x512 tile, per step",
    "output_tile_steps": "per output 512x512 tile, per step",
    "first_megapixels": "per first MP (1024x1024)",
    "next_megapixels": "per subsequent MP",
    "input_megapixels": "per input image MP",
    "requests": "per request",
}
# How many units one quoted price buys, where it is not one.
UNITS_PER_QUOTE = {
    "input_tokens": 1_000_000,
    "cached_input_tokens": 1_000_000,
    "output_tokens": 1_000_000,
    "characters": 1_000,
}


def prices_to_json(prices: "Prices") -> dict[str, Any]:
    stored: dict[str, Any] = {"amounts": dict(sorted(prices.amounts.items()))}
    if prices.unmetered:
        stored["unmetered"] = list(prices.unmetered)
    return stored


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model charges for; no amounts at all means that nobody knows what it costs."""

    amounts: Mapping[str, int] = field(default_factory=dict)
    # Units that the gateway cannot meter, in the catalog's own words.
    unmetered: tuple[str, ...] = ()
    # What follows is worked out once, for each request asks for it.
    is_known: bool = field(init=False, compare=False)
    # Cached tokens cost more than new ones: in no catalog, but an operator's form can say so.
    is_caching_dearer: bool = field(init=False, compare=False)
    # As they are kept, with the units in order.
    as_json: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        cached = self.amounts.get("cached_input_tokens", 0)
        is_dearer = cached > self.amounts.get("input_tokens", 0)
        object.__setattr__(self, "is_known", bool(self.amounts))
        object.__setattr__(self, "is_caching_dearer", is_dearer)
        object.__setattr__(self, "as_json", orjson.dumps(prices_to_json(self)).decode())

    @property
    def is_free(self) -> bool:
        return self.is_known and not any(self.amounts.values())


UNPRICED = Prices()


def parse_prices(listed: object) -> Prices:
    """The value of the catalog's `price` property; anything unusable in it is kept as unmetered."""
    amounts: dict[str, int] = {}
    unmetered: list[str] = []
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, Mapping):
            unmetered.append("a price that is no object")
            continue
        wording = str(item.get("unit"))[:100]
        unit = _unit_of(wording)
        amount = _amount_of(unit, item.get("price")) if unit else None
        if unit is None or amount is None or item.get("currency", "USD") != "USD":
            unmetered.append(wording)
        else:
            amounts[unit] = amount
    return Prices(amounts, tuple(unmetered))


def prices_from_usd(quotes: Mapping[str, Decimal]) -> Prices:
    """Prices by unit in USD per quote, as `UNITS` words them."""
    return Prices({unit: _whole_amount(unit, usd) for unit, usd in quotes.items()})


def usd_quotes(prices: Prices) -> dict[str, Decimal]:
    """The inverse of `prices_from_usd`, in the order of `UNITS`."""
    return {
        unit: Decimal(prices.amounts[unit])
        * UNITS_PER_QUOTE.get(unit, 1)
        / (UNITS_PER_AMOUNT * NANO_USD_PER_USD)
        for unit in UNITS
        if unit in prices.amounts
    }


def prices_from_json(stored: object) -> Prices:
    """Units that this release does not know become unmetered, rather than charged wrongly."""
    if not isinstance(stored, Mapping) or not isinstance(stored.get("amounts"), Mapping):
        return UNPRICED
    amounts = stored["amounts"]
    known = {unit: int(amounts[unit]) for unit in UNITS if unit in amounts}
    unknown = tuple(sorted(str(unit) for unit in amounts if unit not in UNITS))
    return Prices(known, (*stored.get("unmetered", ()), *unknown))


_WORDINGS = {
    "m input tokens": "input_tokens",
    "m cached input tokens": "cached_input_tokens",
    "m input cached tokens": "cached_input_tokens",
    "m output tokens": "output_tokens",
    "audio minute": "audio_minutes",
    "1k characters": "characters",
    "1k characters input": "characters",
    "1k input characters": "characters",
    "512x512 tile": "tiles",
    "step": "steps",
    "input 512x512 tile": "input_tiles",
    "output 512x512 tile": "output_tiles",
    "input 512x512 tile per step": "input_tile_steps",
    "output 512x512 tile per step": "output_tile_steps",
    "first mp": "first_megapixels",
    "first mp 1024x1024": "first_megapixels",
    "subsequent mp": "next_megapixels",
    "subsequent mp 1024x1024": "next_megapixels",
    "input image mp": "input_megapixels",
    "inference request": "requests",
    "request": "requests",
}


def _unit_of(wording: str) -> str | None:
    text = re.sub(r"[^a-z0-9]+", " ", wording.lower().replace("×", "x")).strip()
    text = re.sub(r"(\d+) (?:by|x) (\d+)", r"\1x\2", text)
    text = re.sub(r"\b(?:1 ?)?(?:m|million)\b", "m", text)
    text = re.sub(r"\b(?:1 ?000|1 k|thousand)\b", "1k", text)
    text = re.sub(r"\bchar(?:acter)?s?\b", "characters", text)
    return _WORDINGS.get(text.removeprefix("per "))


def _amount_of(unit: str, price: object) -> int | None:
    if isinstance(price, bool) or not isinstance(price, int | float | str):
        return None
    try:
        usd = Decimal(str(price))
    except InvalidOperation:
        return None
    if not usd.is_finite() or not 0 <= usd <= HIGHEST_USD:
        return None
    return _whole_amount(unit, usd)


def _whole_amount(unit: str, usd: Decimal) -> int:
    scale = Decimal(NANO_USD_PER_USD * UNITS_PER_AMOUNT // UNITS_PER_QUOTE.get(unit, 1))
    return int((usd * scale).to_integral_value(ROUND_HALF_UP))
