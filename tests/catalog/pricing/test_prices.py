import json

import pytest
from hypothesis import given

from catalog.pricing.prices import (
    UNPRICED,
    Prices,
    parse_prices,
    prices_from_json,
    prices_from_usd,
    prices_to_json,
    usd_quotes,
)
from catalog.pricing.texts import price_text
from tests.catalog.entries import usd
from tests.catalog.pricing.quoted import AMOUNTS, priced


@pytest.mark.parametrize(
    ("wording", "unit"),
    [
        ("per M input tokens", "input_tokens"),
        ("per 1M input tokens", "input_tokens"),
        ("Per Million Input Tokens", "input_tokens"),
        ("  per  M  cached-input tokens ", "cached_input_tokens"),
        ("per 1,000 characters", "characters"),
        ("per 1k input chars", "characters"),
        ("per 512×512 tile", "tiles"),
        ("per 512 x 512 tile", "tiles"),
        ("per output 512 by 512 tile per step", "output_tile_steps"),
        ("per request", "requests"),
    ],
)
def test_a_unit_is_known_however_it_is_worded(wording: str, unit: str) -> None:
    assert set(priced((1, wording)).amounts) == {unit}


@pytest.mark.parametrize(
    "odd",
    [
        usd(1, "per fortnight"),
        usd("free", "per M input tokens"),
        usd(-1, "per M input tokens"),
        usd(float("nan"), "per M input tokens"),
        usd(float("inf"), "per M input tokens"),
        usd(True, "per M input tokens"),
        usd(10**12, "per M input tokens"),
        {"unit": "per M input tokens", "price": 1, "currency": "EUR"},
        {"price": 1},
        "0.5",
        None,
    ],
)
def test_what_cannot_be_metered_is_kept_in_sight(odd: object) -> None:
    prices = parse_prices([usd(2.25, "per M output tokens"), odd])
    assert set(prices.amounts) == {"output_tokens"}
    assert len(prices.unmetered) == 1
    assert "not metered" in price_text(prices)


@pytest.mark.parametrize("odd", [None, "free", 5, {}, []])
def test_no_list_of_prices_is_no_price(odd: object) -> None:
    assert parse_prices(odd) == UNPRICED


def test_the_smallest_published_price_is_exact() -> None:
    assert priced((2.51e-06, "per inference request")).amounts["requests"] == 2_510_000_000


@given(amounts=AMOUNTS)
def test_prices_survive_storing_and_the_operators_form(amounts: dict[str, int]) -> None:
    prices = Prices(amounts)
    assert prices_from_json(json.loads(json.dumps(prices_to_json(prices)))) == prices
    assert prices_from_usd(usd_quotes(prices)) == prices


def test_stored_units_of_another_release_are_not_metered() -> None:
    prices = prices_from_json({"amounts": {"output_tokens": 5, "thoughts": 7}})
    assert prices == Prices({"output_tokens": 5}, ("thoughts",))
