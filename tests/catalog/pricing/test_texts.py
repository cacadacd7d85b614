from catalog.pricing.costs import (
    Quantities,
)
from catalog.pricing.prices import (
    UNPRICED,
)
from catalog.pricing.texts import price_text, usd_per_token_strings
from tests.catalog.pricing.quoted import CACHED, priced


def test_list_prices_are_plain_decimals_per_token() -> None:
    assert usd_per_token_strings(CACHED) == {
        "prompt": "0.0000014",
        "completion": "0.0000044",
        "input_cache_read": "0.00000026",
    }


def test_every_model_has_a_prompt_and_a_completion_price() -> None:
    assert usd_per_token_strings(UNPRICED) == {"prompt": "0", "completion": "0"}


def test_a_picture_is_priced_as_it_usually_comes() -> None:
    prices = priced((0.015, "per first MP (1024x1024)"))
    strings = usd_per_token_strings(prices, Quantities(images=1, width=1024, height=1024))
    assert strings["image"] == "0.015"


def test_price_text_reads_like_the_catalog() -> None:
    assert price_text(CACHED) == (
        "$1.4 per M input tokens · $0.26 per M cached input tokens · $4.4 per M output tokens"
    )
    assert price_text(priced((2.51e-06, "per request"))) == "$0.00000251 per request"
