from typing import Any

import pytest

from catalog.checks import check_stored_catalog
from catalog.models import Alias, CatalogModel

pytestmark = pytest.mark.django_db


def ids() -> list[str | None]:
    return [message.id for message in check_stored_catalog(databases=["default"])]


@pytest.fixture(autouse=True)
def _models(settings: Any) -> None:
    settings.DEFAULT_IMAGE_MODEL = ""
    CatalogModel.objects.create(name="@cf/a/chat", classification={"endpoints": ["chat"]})
    CatalogModel.objects.create(name="@cf/a/flux", classification={"endpoints": ["images"]})


def test_a_catalog_in_order_raises_nothing() -> None:
    assert ids() == []


def test_an_alias_hidden_by_a_model_is_w001() -> None:
    chat = CatalogModel.objects.get(name="@cf/a/chat")
    Alias.objects.create(alias="@cf/a/flux", target=chat)
    assert ids() == ["catalog.W001"]


@pytest.mark.parametrize("name", ["@cf/a/chat", "@cf/a/none"])
def test_a_default_image_model_that_makes_none_is_w002(settings: Any, name: str) -> None:
    settings.DEFAULT_IMAGE_MODEL = name
    assert ids() == ["catalog.W002"]


def test_a_default_image_model_may_be_an_alias(settings: Any) -> None:
    flux = CatalogModel.objects.get(name="@cf/a/flux")
    Alias.objects.create(alias="dall-e-3", target=flux)
    settings.DEFAULT_IMAGE_MODEL = "dall-e-3"
    assert ids() == []


def test_an_empty_catalog_says_nothing_about_the_default_image_model(settings: Any) -> None:
    settings.DEFAULT_IMAGE_MODEL = "@cf/a/none"
    CatalogModel.objects.all().delete()
    assert ids() == []


def test_checks_of_other_databases_look_at_nothing() -> None:
    assert check_stored_catalog(databases=["other"]) == []
