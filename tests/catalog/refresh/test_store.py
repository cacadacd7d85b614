from typing import Any

import pytest

from catalog.errors import AnswerRefused
from catalog.models import Alias, CatalogChange, CatalogModel, current_revision
from catalog.refresh.run import refresh
from tests.catalog.conftest import Refresh
from tests.catalog.entries import (
    LEGACY_CHAT,
    LLAMA,
    OPENAI_CHAT,
    FakeUpstream,
    entry,
    usd,
)
from workers_ai.errors import WorkersAIError


class Broken(WorkersAIError):
    pass


def stored() -> list[dict[str, Any]]:
    """All that a refresh may change, but for the time at which models were last seen."""
    rows = CatalogModel.objects.order_by("name").values()
    return [{k: v for k, v in row.items() if k not in ("last_seen_at", "revision")} for row in rows]


def test_the_first_refresh_adds_every_model(upstream: FakeUpstream, db: None) -> None:
    difference = refresh(connect=lambda: upstream)
    assert difference.names("added") == sorted(entry["name"] for entry in upstream.entries)
    assert difference.summary == "4 models listed: 4 added."
    assert CatalogModel.objects.count() == 4


def test_what_an_entry_says_is_stored(refreshed: Refresh) -> None:
    model = CatalogModel.objects.get(name=LLAMA)
    assert (model.task, model.author) == ("Text Generation", "meta")
    assert model.context_window == 24_000
    assert model.price_source == "catalog"
    assert model.created_at is not None and model.created_at.year == 2025
    assert "chat" in model.classified.endpoints
    assert model.entry["name"] == LLAMA


def test_nothing_new_is_no_change(refreshed: Refresh) -> None:
    before = stored()
    difference = refreshed()
    assert difference.summary == "4 models listed: no change."
    assert stored() == before


def test_the_last_time_a_model_was_seen_moves_on(refreshed: Refresh) -> None:
    before = CatalogModel.objects.get(name=LLAMA).last_seen_at
    refreshed()
    assert CatalogModel.objects.get(name=LLAMA).last_seen_at > before


def test_a_new_schema_changes_how_a_model_is_run(
    refreshed: Refresh, upstream: FakeUpstream
) -> None:
    upstream.schemas[LLAMA] = OPENAI_CHAT
    [change] = refreshed().changes
    assert "how chat requests are made" in change.text
    assert CatalogModel.objects.get(name=LLAMA).classified.chat.dialect == "openai"


def test_a_missing_model_is_retired_and_kept(refreshed: Refresh, upstream: FakeUpstream) -> None:
    upstream.entries.pop()
    difference = refreshed()
    assert [str(change) for change in difference.changes] == ["- @cf/microsoft/resnet-50"]
    assert CatalogModel.objects.get(name="@cf/microsoft/resnet-50").retired_at is not None


def test_a_retired_model_is_retired_once(refreshed: Refresh, upstream: FakeUpstream) -> None:
    upstream.entries.pop()
    refreshed()
    assert refreshed().changes == ()


def test_a_model_can_return(refreshed: Refresh, upstream: FakeUpstream) -> None:
    gone = upstream.entries.pop()
    refreshed()
    upstream.entries.append(gone)
    difference = refreshed()
    assert [str(change) for change in difference.changes] == ["+ @cf/microsoft/resnet-50: returned"]
    assert CatalogModel.objects.get(name="@cf/microsoft/resnet-50").retired_at is None


def test_a_refresh_raises_the_revision(refreshed: Refresh) -> None:
    before = current_revision()
    refreshed()
    assert current_revision() > before


def test_what_the_operator_set_survives(refreshed: Refresh, upstream: FakeUpstream) -> None:
    own = {"amounts": {"input_tokens": 5}}
    CatalogModel.objects.filter(name=LLAMA).update(enabled=False, operator_prices=own, notes="no")
    Alias.objects.create(alias="gpt-4o", target=CatalogModel.objects.get(name=LLAMA))
    upstream.entries[0] = entry(LLAMA, price=[usd(9, "per M input tokens")], context_window="1")
    refreshed()
    model = CatalogModel.objects.get(name=LLAMA)
    assert (model.enabled, model.operator_prices, model.notes) == (False, own, "no")
    assert [alias.alias for alias in model.aliases.all()] == ["gpt-4o"]
    assert model.context_window == 1


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_an_empty_or_shrunken_list_changes_nothing(
    refreshed: Refresh, upstream: FakeUpstream, kept: int
) -> None:
    before, revision = stored(), current_revision()
    del upstream.entries[kept:]
    with pytest.raises(AnswerRefused, match="the catalog stays as it is"):
        refreshed()
    assert stored() == before
    assert current_revision() == revision


def test_force_takes_a_shrunken_list(refreshed: Refresh, upstream: FakeUpstream) -> None:
    del upstream.entries[1:]
    assert len(refreshed(force=True).names("retired")) == 3


def test_an_empty_first_answer_is_refused(db: None) -> None:
    with pytest.raises(AnswerRefused):
        refresh(connect=lambda: FakeUpstream([]))


def test_models_retired_before_do_not_count_as_lost(
    refreshed: Refresh, upstream: FakeUpstream
) -> None:
    del upstream.entries[1:]
    refreshed(force=True)
    assert refreshed().changes == ()


def test_a_failure_in_the_middle_of_storing_changes_nothing(
    refreshed: Refresh, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, revision = stored(), current_revision()
    upstream.entries[0] = entry(LLAMA, context_window="1")
    upstream.entries.append(entry("@cf/a/new"))

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(CatalogChange.objects, "bulk_create", fail)
    with pytest.raises(OSError, match="disk full"):
        refreshed()
    assert stored() == before
    assert current_revision() == revision


def many_models(broken: int) -> FakeUpstream:
    names = [f"@cf/a/model-{number}" for number in range(8)]
    schemas: dict[str, Any] = dict.fromkeys(names, LEGACY_CHAT)
    schemas.update({name: Broken("bad gateway") for name in names[:broken]})
    return FakeUpstream([entry(name) for name in names], schemas)


def test_a_known_model_keeps_its_classification_when_its_schema_fails(db: None) -> None:
    refresh(connect=lambda: many_models(broken=0))
    before = stored()
    difference = refresh(connect=lambda: many_models(broken=1))
    assert stored() == before
    [warning] = difference.warnings
    assert "@cf/a/model-0" in warning and "last classification is kept" in warning


def test_a_new_model_whose_schema_fails_waits_unserved_for_the_next_refresh(db: None) -> None:
    difference = refresh(connect=lambda: many_models(broken=1))
    assert CatalogModel.objects.get(name="@cf/a/model-0").classified.endpoints == frozenset()
    assert "it is not served yet" in difference.warnings[0]
    assert refresh(connect=lambda: many_models(broken=0)).names("changed") == ["@cf/a/model-0"]
    assert "chat" in CatalogModel.objects.get(name="@cf/a/model-0").classified.endpoints


def test_prices_that_cannot_be_metered_are_told(db: None) -> None:
    listed = [entry("@cf/a/b", price=[usd(1, "per fortnight")])]
    [warning] = refresh(connect=lambda: FakeUpstream(listed)).warnings
    assert warning == "@cf/a/b has prices that cannot be metered: 'per fortnight'."


def test_a_model_that_takes_the_name_of_an_alias_is_told(
    refreshed: Refresh, upstream: FakeUpstream
) -> None:
    Alias.objects.create(alias="@cf/a/new", target=CatalogModel.objects.get(name=LLAMA))
    upstream.entries.append(entry("@cf/a/new"))
    [warning] = refreshed().warnings
    assert "The alias @cf/a/new has the name of a model" in warning
