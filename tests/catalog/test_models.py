from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from catalog.models import (
    Alias,
    CatalogModel,
    CatalogRevision,
    current_revision,
    next_revision,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> CatalogModel:
    return CatalogModel.objects.create(name="@cf/meta/llama")


@pytest.fixture
def aliased(model: CatalogModel) -> Alias:
    return Alias.objects.create(alias="gpt-4o", target=model)


def disable_by_save(model: CatalogModel) -> None:
    model.enabled = False
    model.save()


def note_by_update_fields(model: CatalogModel) -> None:
    model.notes = "slow"
    model.save(update_fields=["notes"])


def in_bulk(model: CatalogModel) -> None:
    model.notes = "slow"
    CatalogModel.objects.bulk_update([model], ["notes"])


@pytest.mark.parametrize(
    "change",
    [
        disable_by_save,
        note_by_update_fields,
        in_bulk,
        lambda model: CatalogModel.objects.update(enabled=False),
        lambda model: CatalogModel.objects.create(name="@cf/meta/other"),
        lambda model: CatalogModel.objects.bulk_create([CatalogModel(name="@cf/meta/other")]),
        lambda model: model.delete(),
        lambda model: CatalogModel.objects.all().delete(),
        lambda model: Alias.objects.create(alias="another", target=model),
        lambda model: Alias.objects.get(alias="gpt-4o").delete(),
        lambda model: Alias.objects.filter(alias="gpt-4o").delete(),
        lambda model: Alias.objects.update(alias="gpt-5"),
        lambda model: model.aliases.all().delete(),
    ],
)
def test_every_way_to_change_the_catalog_raises_its_revision(
    model: CatalogModel, aliased: Alias, change: Callable[[CatalogModel], Any]
) -> None:
    before = current_revision()
    change(model)
    assert current_revision() > before


def test_a_row_carries_the_revision_it_was_changed_at(model: CatalogModel) -> None:
    CatalogModel.objects.filter(pk=model.pk).update(notes="slow")
    model.refresh_from_db()
    assert model.revision == current_revision()


def test_a_change_that_is_rolled_back_leaves_the_revision(model: CatalogModel) -> None:
    before = current_revision()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        disable_by_save(model)
        raise ZeroDivisionError
    assert current_revision() == before


@pytest.mark.django_db(transaction=True)
def test_a_revision_outside_a_transaction_is_refused() -> None:
    with pytest.raises(RuntimeError):
        next_revision()


def test_there_is_one_revision_row(model: CatalogModel) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CatalogRevision.objects.create(id=2)


def test_two_models_cannot_share_a_name(model: CatalogModel) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CatalogModel.objects.create(name=model.name)


def test_a_model_has_a_name() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CatalogModel.objects.create(name="")


def test_an_alias_cannot_have_a_models_name(model: CatalogModel) -> None:
    with pytest.raises(ValidationError, match="is the name of a model"):
        Alias(alias=model.name, target=model).full_clean()


def test_an_alias_cannot_stand_for_a_retired_model(model: CatalogModel) -> None:
    CatalogModel.objects.update(retired_at="2026-01-01T00:00:00Z")
    with pytest.raises(ValidationError, match="is retired"):
        Alias(alias="gpt-4o", target=model).full_clean()


@pytest.mark.parametrize("alias", ["", "two words", "a\n", "a?b", "a#b", "100%"])
def test_an_alias_is_one_word_that_fits_a_url(model: CatalogModel, alias: str) -> None:
    with pytest.raises(ValidationError):
        Alias(alias=alias, target=model).full_clean()


def test_an_alias_may_hold_slashes_and_capitals(model: CatalogModel) -> None:
    Alias(alias="OpenAI/GPT-4o:latest", target=model).full_clean()


def test_the_operators_price_beats_the_catalogs(model: CatalogModel) -> None:
    model.prices = {"amounts": {"input_tokens": 1}}
    model.price_source = "catalog"
    assert model.effective_prices.amounts == {"input_tokens": 1}
    model.operator_prices = {"amounts": {"input_tokens": 7}}
    assert model.effective_prices.amounts == {"input_tokens": 7}
    assert model.effective_price_source == "operator"
