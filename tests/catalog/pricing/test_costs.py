from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.pricing.costs import (
    Quantities,
    cost_from_neurons,
    cost_nano_usd,
    estimate_upper,
    neurons_micro,
    neurons_micro_from_cost,
)
from catalog.pricing.prices import (
    UNPRICED,
    Prices,
)
from tests.catalog.pricing.quoted import AMOUNTS, CACHED, priced


# nano-USD computed by hand: quantity times price in USD, times 1e9.
@pytest.mark.parametrize(
    ("price", "unit", "used", "nano"),
    [
        (0.29, "per M input tokens", {"prompt_tokens": 1_000_000}, 290_000_000),
        (0.0513, "per M input tokens", {"prompt_tokens": 1_000}, 51_300),
        (2.25, "per M output tokens", {"completion_tokens": 7}, 15_750),
        (0.00051, "per audio minute", {"audio_ms": 90_000}, 765_000),
        (0.0052, "per audio minute", {"audio_ms": 1}, 87),  # 86.67 rounded
        (0.03, "per 1k chars input", {"characters": 1_234}, 37_020_000),
        (0.03, "per 1k characters", {"characters": 1_234}, 37_020_000),
        (0.0058, "per 512 by 512 tile", {"images": 1, "width": 1024, "height": 1024}, 23_200_000),
        (0.0058, "per 512 by 512 tile", {"images": 1, "width": 1025, "height": 512}, 17_400_000),
        (0.00011, "per step", {"images": 2, "steps": 25}, 5_500_000),
        (0.000287, "per output 512x512 tile", {"images": 1, "width": 512, "height": 513}, 574_000),
        (0.000059, "per input 512x512 tile", {"images": 1, "input_images": ((512, 512),)}, 59_000),
        (
            0.000059,
            "per input 512x512 tile",
            {"images": 2, "input_images": ((512, 512), (600, 100))},
            354_000,
        ),
        (
            0.00041,
            "per output 512x512 tile, per step",
            {"images": 1, "width": 1024, "height": 768, "steps": 25},
            41_000_000,
        ),
        (
            0.00021,
            "per input 512x512 tile, per step",
            {"images": 1, "steps": 10, "input_images": ((100, 100),)},
            2_100_000,
        ),
        (0.015, "per first MP (1024x1024)", {"images": 1, "width": 512, "height": 512}, 15_000_000),
        (
            0.015,
            "per first MP (1024x1024)",
            {"images": 1, "width": 2048, "height": 2048},
            15_000_000,
        ),
        (0.002, "per subsequent MP", {"images": 1, "width": 1024, "height": 1024}, 0),
        (0.002, "per subsequent MP", {"images": 1, "width": 1920, "height": 1920}, 6_000_000),
        (
            0.002,
            "per input image MP",
            {"images": 1, "input_images": ((1024, 1024), (1, 1))},
            4_000_000,
        ),
        (2.51e-06, "per inference request", {"requests": 3}, 7_530),
    ],
)
def test_every_unit_costs_what_the_hand_computes(
    price: float, unit: str, used: dict[str, Any], nano: int
) -> None:
    assert cost_nano_usd(priced((price, unit)), Quantities(**used)) == nano


def test_klein_9b_costs_its_first_megapixel_whole_and_the_others_less() -> None:
    prices = priced((0.015, "per first MP (1024x1024)"), (0.002, "per subsequent MP"))
    square = Quantities(images=1, width=1024, height=1024)
    assert cost_nano_usd(prices, square) == 15_000_000
    assert cost_nano_usd(prices, Quantities(images=2, width=1920, height=1080)) == 34_000_000


def test_tiles_and_steps_add_up_for_every_picture() -> None:
    prices = priced((0.0000528, "per 512 by 512 tile"), (0.0001056, "per step"))
    used = Quantities(images=3, width=1024, height=1024, steps=4)
    assert cost_nano_usd(prices, used) == 3 * (4 * 52_800 + 4 * 105_600)


def test_cached_tokens_are_part_of_the_prompt_and_cost_less() -> None:
    used = Quantities(prompt_tokens=376, cached_tokens=320, completion_tokens=10)
    assert cost_nano_usd(CACHED, used) == 56 * 1_400 + 320 * 260 + 10 * 4_400


def test_cached_tokens_without_a_cached_price_cost_as_much_as_others() -> None:
    prices = priced((0.5, "per M input tokens"))
    assert cost_nano_usd(prices, Quantities(prompt_tokens=100, cached_tokens=60)) == 50_000


def test_more_cached_tokens_than_prompt_tokens_are_not_believed() -> None:
    used = Quantities(prompt_tokens=10, cached_tokens=9_999)
    assert cost_nano_usd(CACHED, used) == 10 * 260


def test_a_model_without_prices_costs_an_unknown_amount_and_not_zero() -> None:
    assert cost_nano_usd(UNPRICED, Quantities(prompt_tokens=5)) is None
    assert estimate_upper(UNPRICED, Quantities(prompt_tokens=5)) is None


def test_a_price_of_zero_is_a_price() -> None:
    assert cost_nano_usd(priced((0, "per step")), Quantities(images=1, steps=20)) == 0


def test_halves_round_up_once_at_the_end() -> None:
    prices = priced((0.0005, "per M input tokens"), (0.0005, "per M output tokens"))
    assert cost_nano_usd(prices, Quantities(prompt_tokens=1)) == 1  # 0.5
    # Two halves are one, not two.
    assert cost_nano_usd(prices, Quantities(prompt_tokens=1, completion_tokens=1)) == 1


COUNTS = st.integers(min_value=0, max_value=10**9)


@given(amounts=AMOUNTS, prompt=COUNTS, completion=COUNTS, cached=COUNTS, audio_ms=COUNTS)
def test_token_and_audio_costs_agree_with_fractions(
    amounts: dict[str, int], prompt: int, completion: int, cached: int, audio_ms: int
) -> None:
    used = Quantities(
        prompt_tokens=prompt, completion_tokens=completion, cached_tokens=cached, audio_ms=audio_ms
    )
    hit = min(cached, prompt)
    p_in = amounts.get("input_tokens", 0)
    exact = Fraction(
        (prompt - hit) * p_in
        + hit * amounts.get("cached_input_tokens", p_in)
        + completion * amounts.get("output_tokens", 0)
        + amounts.get("requests", 0),
        10**6,
    ) + Fraction(audio_ms, 60_000) * Fraction(amounts.get("audio_minutes", 0), 10**6)
    assert cost_nano_usd(Prices(amounts), used) == int(exact + Fraction(1, 2))


@given(amounts=AMOUNTS, prompt=COUNTS, answered=COUNTS, cached=COUNTS, spare=COUNTS)
def test_the_estimate_is_never_below_the_cost(
    amounts: dict[str, int], prompt: int, answered: int, cached: int, spare: int
) -> None:
    prices = Prices(amounts)
    used = Quantities(prompt_tokens=prompt, completion_tokens=answered, cached_tokens=cached)
    upper = estimate_upper(
        prices, Quantities(prompt_tokens=prompt, completion_tokens=answered + spare)
    )
    cost = cost_nano_usd(prices, used)
    assert upper is not None and cost is not None and upper >= cost


def test_the_estimate_covers_pictures() -> None:
    prices = priced((0.0058, "per 512 by 512 tile"), (0.00011, "per step"))
    upper = estimate_upper(prices, Quantities(images=4, width=1024, height=1024, steps=50))
    assert upper == 4 * (4 * 5_800_000 + 50 * 110_000)


def test_neurons_and_money_convert_both_ways() -> None:
    assert cost_from_neurons(10_000 * 1_000_000) == 110_000_000  # 10,000 neurons are 0.11 USD
    assert neurons_micro_from_cost(15_000_000) == 1_363_636_364  # klein-9b: 1363.64 neurons
    assert cost_from_neurons(1_363_636_364) == 15_000_000
    assert cost_from_neurons(0) == neurons_micro_from_cost(0) == 0


@pytest.mark.parametrize(
    ("measured", "micro"),
    [
        (1.7727, 1_772_700),
        ("0.0487", 48_700),
        (0, 0),
        (Decimal("172.8"), 172_800_000),
        *((odd, None) for odd in (None, True, "many", -1, float("nan"), [])),
    ],
)
def test_measured_neurons_are_read_from_numbers_and_text(measured: Any, micro: int | None) -> None:
    assert neurons_micro(measured) == micro


def test_the_upper_estimate_holds_when_an_operator_prices_cached_tokens_above_new_ones() -> None:
    prices = Prices({"input_tokens": 100_000_000, "cached_input_tokens": 300_000_000})
    upper = estimate_upper(prices, Quantities(prompt_tokens=1000))
    assert upper == cost_nano_usd(prices, Quantities(prompt_tokens=1000, cached_tokens=1000))
