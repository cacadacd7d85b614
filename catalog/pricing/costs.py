"""What quantities cost at given prices, and neurons converted to money and back. Pure.

A cost is nano-USD, rounded once, half up, at its end.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import NamedTuple

from catalog.pricing.prices import UNITS_PER_AMOUNT, Prices

NANO_USD_PER_NEURON = 11_000
MS_PER_MINUTE = 60_000
TILE_SIDE = 512
PIXELS_PER_MEGAPIXEL = 1024 * 1024


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


def cost_nano_usd(prices: Prices, used: Quantities) -> int | None:
    """What the quantities cost; None when the model has no price, which is not the same as 0."""
    amounts = prices.amounts
    if not amounts:
        return None
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
    # Minutes come from milliseconds, so everything is computed over one denominator.
    per_minute = used.audio_ms * amounts.get("audio_minutes", 0)
    return _half_up(millionths * MS_PER_MINUTE + per_minute, UNITS_PER_AMOUNT * MS_PER_MINUTE)


def estimate_upper(prices: Prices, most: Quantities) -> int | None:
    """The most that a request of these quantities can cost, to be reserved before it runs; None
    when unpriced.
    """
    if prices.is_caching_dearer:
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
    """A part of a tile counts as one; how upstream rounds is not published (2026-10)."""
    return -(-width // TILE_SIDE) * -(-height // TILE_SIDE)


def _megapixels(width: int, height: int) -> int:
    """A part of a megapixel counts as one, as with tiles."""
    return -(-width * height // PIXELS_PER_MEGAPIXEL)


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
