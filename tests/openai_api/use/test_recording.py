"""Neurons of a row: upstream's own measure before the price list, and both kept."""

from decimal import Decimal

import pytest

from catalog.pricing.costs import Quantities
from catalog.pricing.prices import UNPRICED, Prices, prices_from_json
from catalog.snapshot import ModelRecord
from keys.limits.ticket import Outcome
from openai_api.use.recording import Metered, outcome_of
from openai_api.use.usage import NOTHING, Usage

# 1,000 tokens in at $1.10 a million: $0.0011, which is 100 neurons at $0.011 a thousand.
QUANTITIES = Quantities(prompt_tokens=1_000)


@pytest.fixture
def prices() -> Prices:
    return prices_from_json({"amounts": {"input_tokens": 1_100_000_000}})


def recorded(usage: Usage, prices: Prices, source: str = "upstream") -> Outcome:
    metered = Metered(usage, source, QUANTITIES)
    model = ModelRecord(name="@cf/test/model", prices=prices)
    return outcome_of(metered, model, status=200, end_reason="complete")


def neurons_of(outcome: Outcome) -> tuple[int | None, str, int | None]:
    return outcome.neurons_micro, outcome.neurons_source, outcome.neurons_by_price_micro


def test_neurons_in_usage_come_first(prices: Prices) -> None:
    usage = Usage(prompt_tokens=1_000, neurons=Decimal("98.5"))
    outcome = recorded(usage, prices)
    assert neurons_of(outcome) == (98_500_000, "usage", 100_000_000)
    assert outcome.cost_nano_usd == 1_100_000


def test_the_header_counts_where_usage_has_none(prices: Prices) -> None:
    outcome = recorded(NOTHING.with_neurons(Decimal(97)), prices)
    assert neurons_of(outcome) == (97_000_000, "header", 100_000_000)


def test_without_a_measure_the_price_list_tells(prices: Prices) -> None:
    assert neurons_of(recorded(NOTHING, prices)) == (100_000_000, "price", 100_000_000)


def test_a_measured_zero_is_a_number(prices: Prices) -> None:
    outcome = recorded(NOTHING.with_neurons(Decimal(0)), prices)
    assert neurons_of(outcome) == (0, "header", 100_000_000)


def test_a_model_without_a_price_costs_what_was_measured() -> None:
    outcome = recorded(NOTHING.with_neurons(Decimal(100)), UNPRICED)
    assert neurons_of(outcome) == (100_000_000, "header", None)
    assert outcome.cost_nano_usd == 1_100_000


def test_what_nobody_knows_is_not_zero() -> None:
    outcome = recorded(NOTHING, UNPRICED)
    assert (*neurons_of(outcome), outcome.cost_nano_usd) == (None, "none", None, None)


def test_nothing_used_costs_nothing(prices: Prices) -> None:
    outcome = recorded(NOTHING, prices, source="none")
    assert (*neurons_of(outcome), outcome.cost_nano_usd) == (0, "none", 0, 0)
