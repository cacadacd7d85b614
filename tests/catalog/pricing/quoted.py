"""Prices for tests, as a catalog quotes them."""

from typing import Any

from hypothesis import strategies as st

from catalog.pricing.prices import UNITS, Prices, parse_prices
from tests.catalog.entries import usd


def priced(*quotes: tuple[Any, str]) -> Prices:
    prices = parse_prices([usd(price, unit) for price, unit in quotes])
    assert prices.unmetered == ()
    return prices


CACHED = priced(
    (1.4, "per M input tokens"), (4.4, "per M output tokens"), (0.26, "per M cached input tokens")
)


AMOUNTS = st.dictionaries(
    st.sampled_from(sorted(UNITS)), st.integers(min_value=0, max_value=10**16), min_size=1
)
