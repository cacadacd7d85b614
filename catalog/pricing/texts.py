"""Formats prices: in USD and in neurons for people, and as `/v1/models` has them. Pure."""

from decimal import Decimal

from catalog.pricing.costs import NANO_USD_PER_NEURON, Quantities, cost_nano_usd
from catalog.pricing.prices import (
    NANO_USD_PER_USD,
    UNITS,
    UNITS_PER_AMOUNT,
    Prices,
    usd_quotes,
)


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
