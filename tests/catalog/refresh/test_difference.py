import json
from datetime import date

from catalog.models import CatalogChange, CatalogModel
from tests.catalog.conftest import Refresh
from tests.catalog.entries import (
    BGE,
    LLAMA,
    TOKEN_PRICE,
    FakeUpstream,
    entry,
    usd,
)


def test_a_price_change_is_told_apart(refreshed: Refresh, upstream: FakeUpstream) -> None:
    upstream.entries[2] = entry(BGE, "Text Embeddings", [usd(0.05, "per M input tokens")])
    [change] = refreshed().changes
    assert str(change) == (
        f"~ {BGE}: price $0.02 per M input tokens (catalog) → $0.05 per M input tokens (catalog)"
    )
    assert change.kind == "price"
    assert CatalogChange.objects.filter(model_name=BGE, kind="price").count() == 1


def test_changes_are_told_in_words(refreshed: Refresh, upstream: FakeUpstream) -> None:
    upstream.entries[0] = entry(
        LLAMA, price=TOKEN_PRICE, context_window="128000", planned_deprecation_date="2026-12-31"
    )
    [change] = refreshed().changes
    assert "context window 24000 → 128000" in change.text
    assert "deprecation none → 2026-12-31" in change.text
    assert "capabilities -tools" in change.text
    model = CatalogModel.objects.get(name=LLAMA)
    assert model.planned_deprecation_date == date(2026, 12, 31)


def test_a_difference_can_be_printed_as_json(refreshed: Refresh, upstream: FakeUpstream) -> None:
    upstream.entries[3] = entry("@cf/a/new", "Translation")
    told = json.loads(json.dumps(refreshed().to_json()))
    assert told["added"] == ["@cf/a/new"]
    assert told["retired"] == ["@cf/microsoft/resnet-50"]
    assert told["models_listed"] == 4
