"""Prices and costs in whole numbers. Pure; knows no model and no database.

An amount is nano-USD per 1,000,000 units, which holds every published price exactly: 0.0513 USD
per M tokens and 0.00000251 USD per request alike. A cost is nano-USD, rounded once, half up, at its
end. Neurons are counted in millionths: 1 neuron = 0.000011 USD = 11,000 nano-USD.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NamedTuple

NANO_USD_PER_NEURON = 11_000
NANO_USD_PER_USD = 10**9
UNITS_PER_AMOUNT = 10**6
MS_PER_MINUTE = 60_000
TILE_SIDE = 512
PIXELS_PER_MEGAPIXEL = 1024 * 1024

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


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model charges for; no amounts at all means that nobody knows what it costs."""

    amounts: Mapping[str, int] = field(default_factory=dict)
    # Units of the catalog that nothing here can meter, as the catalog words them.
    unmetered: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        return bool(self.amounts)

    @property
    def is_free(self) -> bool:
        return self.is_known and not any(self.amounts.values())


UNPRICED = Prices()


class Quantities(NamedTuple):
    """What one request used. Sizes and steps are those of each picture."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    # Part of prompt_tokens.
    cached_tokens: int = 0
    images: int = 0
    width: int = 0
    height: int = 0
    steps: int = 0
    # Width and height of every input picture; they are sent anew for each picture made.
    input_images: tuple[tuple[int, int], ...] = ()
    audio_ms: int = 0
    characters: int = 0
    requests: int = 1


# --- Reading prices ---------------------------------------------------------------------------


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


def prices_to_json(prices: Prices) -> dict[str, Any]:
    stored: dict[str, Any] = {"amounts": dict(sorted(prices.amounts.items()))}
    if prices.unmetered:
        stored["unmetered"] = list(prices.unmetered)
    return stored


def prices_from_json(stored: object) -> Prices:
    """Tolerant: units this release does not know are shown as unmetered, never charged wrongly."""
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


# --- Costs ------------------------------------------------------------------------------------


def cost_nano_usd(prices: Prices, used: Quantities) -> int | None:
    """What the quantities cost; None when the model has no price, which is not the same as 0."""
    if not prices.amounts:
        return None
    amounts = prices.amounts
    input_amount = amounts.get("input_tokens", 0)
    millionths = (
        used.prompt_tokens * input_amount
        + used.completion_tokens * amounts.get("output_tokens", 0)
        + used.requests * amounts.get("requests", 0)
    )
    if used.cached_tokens > 0:
        cached = min(used.cached_tokens, used.prompt_tokens)
        millionths += cached * (amounts.get("cached_input_tokens", input_amount) - input_amount)
    if used.characters:
        millionths += used.characters * amounts.get("characters", 0)
    if used.images:
        millionths += used.images * _picture_millionths(amounts, used)
    if not used.audio_ms:
        return _half_up(millionths, UNITS_PER_AMOUNT)
    # Minutes come from milliseconds, so everything is counted over one denominator.
    per_minute = used.audio_ms * amounts.get("audio_minutes", 0)
    return _half_up(millionths * MS_PER_MINUTE + per_minute, UNITS_PER_AMOUNT * MS_PER_MINUTE)


def estimate_upper(prices: Prices, most: Quantities) -> int | None:
    """The most that a request of these quantities can cost, for what is reserved before it runs;
    None when unpriced.
    """
    amounts = prices.amounts
    if amounts.get("cached_input_tokens", 0) > amounts.get("input_tokens", 0):
        # No catalog charges more for cached tokens than for new ones, but an operator's form can.
        most = most._replace(cached_tokens=most.prompt_tokens)
    return cost_nano_usd(prices, most)


def neurons_micro_from_cost(cost_nano: int) -> int:
    return _half_up(cost_nano * 1_000_000, NANO_USD_PER_NEURON)


def cost_from_neurons(neurons_micro: int) -> int:
    """nano-USD of neurons that upstream measured."""
    return _half_up(neurons_micro * NANO_USD_PER_NEURON, 1_000_000)


def neurons_micro(measured: object) -> int | None:
    """Upstream's figure (`usage.neurons`, `cf-ai-neurons`) in millionths; None when unusable."""
    if isinstance(measured, bool) or not isinstance(measured, int | float | str | Decimal):
        return None
    try:
        neurons = measured if isinstance(measured, Decimal) else Decimal(str(measured).strip())
    except InvalidOperation:
        return None
    if not neurons.is_finite() or not 0 <= neurons < 10**12:
        return None
    return int((neurons * 1_000_000).to_integral_value(ROUND_HALF_UP))


def _picture_millionths(amounts: Mapping[str, int], used: Quantities) -> int:
    """What one picture costs, in millionths of nano-USD."""
    tiles = _tiles(used.width, used.height)
    input_tiles = sum(_tiles(width, height) for width, height in used.input_images)
    megapixels = _megapixels(used.width, used.height)
    input_megapixels = sum(_megapixels(width, height) for width, height in used.input_images)
    return (
        tiles * (amounts.get("tiles", 0) + amounts.get("output_tiles", 0))
        + used.steps * amounts.get("steps", 0)
        + input_tiles * amounts.get("input_tiles", 0)
        + tiles * used.steps * amounts.get("output_tile_steps", 0)
        + input_tiles * used.steps * amounts.get("input_tile_steps", 0)
        + min(megapixels, 1) * amounts.get("first_megapixels", 0)
        + max(megapixels - 1, 0) * amounts.get("next_megapixels", 0)
        + input_megapixels * amounts.get("input_megapixels", 0)
    )


def _tiles(width: int, height: int) -> int:
    """Begun tiles count whole; how upstream rounds is not published (2026-10)."""
    return -(-width // TILE_SIDE) * -(-height // TILE_SIDE)


def _megapixels(width: int, height: int) -> int:
    """Begun megapixels count whole, as tiles do."""
    return -(-width * height // PIXELS_PER_MEGAPIXEL)


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


# --- Prices for people and clients ------------------------------------------------------------


def usd_per_token_strings(prices: Prices, picture: Quantities | None = None) -> dict[str, str]:
    """The `pricing` object of the model list: USD for one unit as plain decimal strings.

    `prompt` and `completion` are always there, because some clients show no price of any model when
    one lacks them. `picture` is the model's usual picture, which `image` prices.
    """
    amounts = prices.amounts
    shown = {
        "prompt": amounts.get("input_tokens", 0),
        "completion": amounts.get("output_tokens", 0),
    }
    for name, unit in (
        ("input_cache_read", "cached_input_tokens"),
        ("request", "requests"),
        ("audio_minute", "audio_minutes"),
        ("character", "characters"),
    ):
        if unit in amounts:
            shown[name] = amounts[unit]
    strings = {name: _usd(amount, UNITS_PER_AMOUNT) for name, amount in shown.items()}
    cost = cost_nano_usd(prices, picture) if picture else None
    if cost is not None:
        strings["image"] = _usd(cost, 1)
    return strings


def price_text(prices: Prices) -> str:
    """One line for the operator, such as `$0.29 per M input tokens · $2.25 per M output tokens`."""
    parts = [f"${plain(usd)} {UNITS[unit]}" for unit, usd in usd_quotes(prices).items()]
    parts += [f"not metered: {wording}" for wording in prices.unmetered]
    return " · ".join(parts)


def neuron_text(prices: Prices) -> str:
    """The same in neurons, such as `26,364 per M input tokens`."""
    in_neurons = (
        (unit, usd * NANO_USD_PER_USD / NANO_USD_PER_NEURON)
        for unit, usd in usd_quotes(prices).items()
    )
    return " · ".join(
        f"{neurons:,.0f} {UNITS[unit]}"
        if neurons >= 100
        else f"{plain(round(neurons, 3))} {UNITS[unit]}"
        for unit, neurons in in_neurons
    )


def plain(number: Decimal) -> str:
    """Without exponent and without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _usd(nano: int, per: int) -> str:
    return plain(Decimal(nano) / (NANO_USD_PER_USD * per))
