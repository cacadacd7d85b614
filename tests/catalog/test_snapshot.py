from collections.abc import Callable
from typing import Any

import pytest

from catalog import snapshot
from catalog.models import Alias, CatalogModel
from catalog.refresh.difference import Difference
from tests.catalog.entries import FLUX, LLAMA, FakeUpstream

Refresh = Callable[..., Difference]


def test_before_anything_is_loaded_the_snapshot_is_empty() -> None:
    assert snapshot.current().is_empty
    assert snapshot.current().refreshed_at is None


def test_an_empty_catalog_loads_as_empty(db: None) -> None:
    assert snapshot.poll()
    assert snapshot.current().is_empty


def test_a_record_holds_what_a_request_needs(refreshed: Refresh) -> None:
    record = snapshot.load().models[LLAMA]
    assert record.author == "meta"
    assert record.context_window == 24_000
    assert "chat" in record.endpoints
    assert record.chat is not None and record.chat.tools
    assert record.prices.amounts["input_tokens"] == 290_000_000
    assert record.price_source == "catalog"
    assert record.created == 1_741_064_767


def test_reading_costs_no_query(
    refreshed: Refresh, django_assert_num_queries: Callable[[int], Any]
) -> None:
    snapshot.load()
    with django_assert_num_queries(0):
        assert snapshot.current().models[LLAMA].image is None


def test_polling_an_unchanged_catalog_is_one_query(
    refreshed: Refresh, django_assert_num_queries: Callable[[int], Any]
) -> None:
    snapshot.load()
    with django_assert_num_queries(1):
        assert snapshot.poll() is False


def disable() -> None:
    CatalogModel.objects.filter(name=LLAMA).update(enabled=False)


def reprice() -> None:
    model = CatalogModel.objects.get(name=LLAMA)
    model.operator_prices = {"amounts": {"input_tokens": 1}}
    model.save(update_fields=["operator_prices"])


def alias() -> None:
    Alias.objects.create(alias="gpt-4o", target=CatalogModel.objects.get(name=LLAMA))


@pytest.mark.parametrize(
    ("change", "shows"),
    [
        (disable, lambda now: not now.models[LLAMA].enabled),
        (reprice, lambda now: now.models[LLAMA].price_source == "operator"),
        (alias, lambda now: now.aliases == {"gpt-4o": LLAMA}),
    ],
)
def test_a_change_is_seen_at_the_next_poll(
    refreshed: Refresh, change: Callable[[], None], shows: Callable[[Any], bool]
) -> None:
    before = snapshot.load()
    change()
    assert not shows(snapshot.current())
    assert snapshot.poll() is True
    assert shows(snapshot.current())
    assert not shows(before)


def test_a_refresh_is_seen_at_the_next_poll(refreshed: Refresh, upstream: FakeUpstream) -> None:
    before = snapshot.load()
    upstream.entries.pop(1)
    refreshed()
    snapshot.poll()
    assert snapshot.current().models[FLUX].retired
    assert snapshot.current().refreshed_at > before.refreshed_at


def test_a_catalog_of_retired_models_alone_is_empty(refreshed: Refresh) -> None:
    CatalogModel.objects.update(retired_at="2026-01-01T00:00:00Z")
    assert snapshot.load().is_empty
