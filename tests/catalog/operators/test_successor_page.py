"""A model that goes, and one that rests, on the model's page."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from catalog import breaker, paces, snapshot
from catalog.models import Alias, CatalogModel
from tests.catalog.entries import LLAMA
from tests.catalog.operators.pages import change_url, named

NEWER = "@cf/meta/llama-9-instruct"


@pytest.fixture
def going() -> CatalogModel:
    model = named(LLAMA)
    CatalogModel.objects.create(
        name=NEWER, task=model.task, classification=model.classification, prices=model.prices
    )
    CatalogModel.objects.filter(name=LLAMA).update(planned_deprecation_date="2027-01-01")
    return named(LLAMA)


@pytest.fixture(autouse=True)
def nothing_rests() -> Iterator[None]:
    breaker.forget()
    yield
    breaker.forget()


def page(client: Client, model: CatalogModel) -> str:
    return client.get(change_url(model)).content.decode()


def test_one_click_leads_requests_on(admin_client: Client, going: CatalogModel) -> None:
    assert f"Let requests for it go to {NEWER}" in page(admin_client, going)
    url = reverse("admin:catalog_lead_to_successor", args=[going.pk])
    told = admin_client.post(url, follow=True).content.decode()
    assert f"Requests for {LLAMA} go to {NEWER} once it is gone." in told
    assert Alias.objects.get(alias=LLAMA).target.name == NEWER
    assert "Let requests for it go" not in page(admin_client, going)
    again = admin_client.post(url, follow=True).content.decode()
    assert "already exists" in again
    CatalogModel.objects.filter(name=LLAMA).update(retired_at="2027-01-02T00:00:00Z")
    assert "Cloudflare no longer lists this model." in page(admin_client, going)


def test_only_who_may_make_aliases_sees_the_button(
    client: Client, going: CatalogModel, django_user_model: type
) -> None:
    client.force_login(django_user_model.objects.create_user("plain", is_staff=True))  # type: ignore[attr-defined]
    url = reverse("admin:catalog_lead_to_successor", args=[going.pk])
    assert client.post(url).status_code == 403
    assert not Alias.objects.exists()


def test_a_model_at_rest_says_why(admin_client: Client) -> None:
    breaker.failed(LLAMA, "Capacity temporarily exceeded")
    html = page(admin_client, named(LLAMA))
    assert "Passed over where another model stands by" in html
    assert "Capacity temporarily exceeded" in html


def test_a_model_tells_its_rate_at_each_account(
    admin_client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paces, "_learnt", {})
    settings.CLOUDFLARE_ACCOUNT_NAMES = ("main", "second", "third")
    model = snapshot.record_of(named(LLAMA))
    for account in ("main", "second"):
        for _ in range(2):
            paces.refused(model, f"the rate of {account} is reached", account)
    html = page(admin_client, named(LLAMA))
    for account in ("main", "second"):
        assert f"300 requests a minute for {LLAMA} ({account})" in html
        assert f"the rate of {account} is reached" in html
    assert "(third)" not in html


def test_an_alias_has_its_fallbacks_in_its_form(admin_client: Client, going: CatalogModel) -> None:
    form = {
        "alias": "smart",
        "target": going.pk,
        "fallbacks-TOTAL_FORMS": "1",
        "fallbacks-INITIAL_FORMS": "0",
        "fallbacks-0-position": "1",
        "fallbacks-0-target": named(NEWER).pk,
    }
    add = reverse("admin:catalog_alias_add")
    assert admin_client.post(add, form).status_code == 302
    assert [str(one) for one in Alias.objects.get().fallbacks.all()] == [NEWER]
    listed = admin_client.get(reverse("admin:catalog_alias_changelist")).content.decode()
    assert NEWER in listed
    form |= {"alias": "same", "fallbacks-0-target": going.pk}
    assert "is the first model of" in admin_client.post(add, form).content.decode()
