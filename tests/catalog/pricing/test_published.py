from catalog.pricing.costs import Quantities, cost_nano_usd
from catalog.pricing.published import prices_of
from tests.catalog.entries import FLUX, TOKEN_PRICE, entry, usd


def test_the_vendors_page_prices_what_its_catalog_does_not() -> None:
    prices, source = prices_of(entry(FLUX, "Text-to-Image"))
    assert source == "published"
    used = Quantities(images=1, width=1024, height=1024, steps=4)
    assert cost_nano_usd(prices, used) == 633_600  # 57.6 neurons


def test_the_catalog_beats_the_vendors_page() -> None:
    prices, source = prices_of(entry(FLUX, "Text-to-Image", [usd(0.5, "per step")]))
    assert (set(prices.amounts), source) == ({"steps"}, "catalog")


def test_a_catalog_price_of_zero_gives_way_to_a_published_one() -> None:
    listed = entry("@cf/deepgram/aura-1", "Text-to-Speech", [usd(0, "per audio minute")])
    prices, source = prices_of(listed)
    assert source == "published"
    assert cost_nano_usd(prices, Quantities(characters=1000)) == 15_000_000


def test_a_free_beta_model_stays_free() -> None:
    prices, source = prices_of(entry("@cf/bytedance/sdxl", "Text-to-Image", [usd(0, "per step")]))
    assert source == "catalog"
    assert prices.is_free


def test_a_model_priced_nowhere_is_unpriced() -> None:
    assert prices_of(entry("@cf/a/b"))[1] == "unpriced"
    assert prices_of(entry("@cf/a/b", price=TOKEN_PRICE))[1] == "catalog"
