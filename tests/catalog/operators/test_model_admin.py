import re
from datetime import date
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from catalog.models import Alias, CatalogChange, CatalogModel, RefreshRun
from tests.catalog.conftest import Refresh
from tests.catalog.entries import BGE, FLUX, LLAMA, FakeUpstream
from tests.catalog.operators.pages import LIST, change_url, form_of, named, page


def test_the_list_shows_price_endpoints_and_state(admin_client: Client) -> None:
    html = page(admin_client, LIST)
    assert "$0.29 per M input tokens" in html and "$2.25 per M output tokens" in html
    assert "chat, completions, messages, responses" in html
    assert "from the vendor&#x27;s price page" in html


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ({"endpoint": "images"}, FLUX, LLAMA),
        ({"endpoint": "none"}, "@cf/microsoft/resnet-50", LLAMA),
        ({"state": "off"}, BGE, LLAMA),
        ({"state": "on"}, LLAMA, BGE),
        ({"state": "retired"}, "", LLAMA),
        ({"price_source": "published"}, FLUX, LLAMA),
        ({"price_source": "operator"}, BGE, LLAMA),
        ({"task": "Text Generation"}, LLAMA, FLUX),
        ({"q": "gpt-4o"}, LLAMA, FLUX),
    ],
)
def test_the_list_can_be_narrowed(
    admin_client: Client, query: dict[str, str], shown: str, hidden: str
) -> None:
    CatalogModel.objects.filter(name=BGE).update(
        enabled=False, operator_prices={"amounts": {"input_tokens": 1}}
    )
    Alias.objects.create(alias="gpt-4o", target=named(LLAMA))
    html = page(admin_client, LIST, **query)
    assert shown in html
    assert f">{hidden}<" not in html


@pytest.mark.parametrize(("action", "enabled"), [("disable", False), ("enable", True)])
def test_models_are_switched_in_bulk_and_it_is_logged(
    admin_client: Client, action: str, enabled: bool
) -> None:
    CatalogModel.objects.update(enabled=not enabled)
    model = named(LLAMA)
    data = {"action": action, "_selected_action": [str(model.pk)]}
    response = admin_client.post(reverse(LIST), data, follow=True)
    assert f"1 model {action}d." in response.content.decode()
    assert named(LLAMA).enabled is enabled
    assert named(FLUX).enabled is not enabled
    assert LogEntry.objects.filter(object_id=str(model.pk)).count() == 1


def test_a_model_is_repriced(admin_client: Client) -> None:
    model = named(LLAMA)
    data = form_of(model, usd_input_tokens="0.31", usd_output_tokens="0.00000251")
    admin_client.post(change_url(model), data)
    assert named(LLAMA).operator_prices == {
        "amounts": {"input_tokens": 310_000_000, "output_tokens": 2_510}
    }
    assert "0.31" in page(admin_client, "admin:catalog_catalogmodel_change", model.pk)


def test_emptied_prices_give_way_to_the_catalogs(admin_client: Client) -> None:
    CatalogModel.objects.filter(name=LLAMA).update(operator_prices={"amounts": {"steps": 1}})
    model = named(LLAMA)
    admin_client.post(change_url(model), form_of(model))
    assert named(LLAMA).operator_prices is None
    assert named(LLAMA).effective_price_source == "catalog"


def test_a_price_of_zero_is_the_operators_word(admin_client: Client) -> None:
    model = named(LLAMA)
    admin_client.post(change_url(model), form_of(model, usd_input_tokens="0"))
    assert named(LLAMA).operator_prices == {"amounts": {"input_tokens": 0}}


@pytest.mark.parametrize("price", ["-1", "cheap", "1e99", "NaN"])
def test_a_price_that_is_none_is_refused(admin_client: Client, price: str) -> None:
    model = named(LLAMA)
    response = admin_client.post(change_url(model), form_of(model, usd_input_tokens=price))
    assert response.status_code == 200
    assert "usd_input_tokens" in response.context["adminform"].form.errors
    assert named(LLAMA).operator_prices is None


def test_saving_an_old_form_does_not_undo_a_refresh(
    admin_client: Client, refreshed: Refresh, upstream: FakeUpstream, monkeypatch: Any
) -> None:
    model = named(LLAMA)
    original = CatalogModel.save

    def refresh_first(self: CatalogModel, **options: Any) -> None:
        CatalogModel.objects.filter(pk=model.pk).update(context_window=99)
        original(self, **options)

    monkeypatch.setattr(CatalogModel, "save", refresh_first)
    admin_client.post(change_url(model), form_of(model, notes="slow"))
    assert (named(LLAMA).notes, named(LLAMA).context_window) == ("slow", 99)


def test_aliases_are_made_on_the_models_page(admin_client: Client) -> None:
    model = named(LLAMA)
    data = form_of(model, **{"aliases-TOTAL_FORMS": "1", "aliases-0-alias": "gpt-4o"})
    admin_client.post(change_url(model), data)
    assert Alias.objects.get().target == model


def test_an_alias_with_a_models_name_is_refused(admin_client: Client) -> None:
    data = {"alias": FLUX, "target": str(named(LLAMA).pk)}
    response = admin_client.post(reverse("admin:catalog_alias_add"), data)
    assert "is the name of a model" in response.content.decode()
    assert not Alias.objects.exists()


def test_models_are_neither_added_nor_deleted_by_hand(admin_client: Client) -> None:
    assert admin_client.get(reverse("admin:catalog_catalogmodel_add")).status_code == 403
    delete = reverse("admin:catalog_catalogmodel_delete", args=[named(LLAMA).pk])
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("name", [LLAMA, FLUX, BGE, "@cf/microsoft/resnet-50"])
def test_every_kind_of_model_has_a_page(admin_client: Client, name: str) -> None:
    html = page(admin_client, "admin:catalog_catalogmodel_change", named(name).pk)
    assert "&quot;property_id&quot;" in html or "&quot;properties&quot;: []" in html


@pytest.mark.parametrize("model", [CatalogChange, RefreshRun])
def test_history_is_read_only(admin_client: Client, model: Any) -> None:
    name = f"admin:catalog_{model._meta.model_name}"
    page(admin_client, f"{name}_changelist")
    row = model.objects.first()
    page(admin_client, f"{name}_change", row.pk)
    assert admin_client.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
    assert admin_client.get(reverse(f"{name}_add")).status_code == 403


def test_pages_have_nothing_inline(admin_client: Client) -> None:
    for html in (
        page(admin_client, LIST),
        page(admin_client, "admin:catalog_catalogmodel_change", named(LLAMA).pk),
    ):
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html)
        assert not re.search(r"\s(style|onclick|onsubmit)=", html)


def test_a_models_page_tells_its_changes_and_what_to_move_to(admin_client: Client) -> None:
    model = named(LLAMA)
    CatalogModel.objects.create(
        name="@cf/meta/newer", task=model.task, classification=model.classification
    )
    CatalogModel.objects.filter(pk=model.pk).update(planned_deprecation_date=date(2027, 3, 1))
    html = page(admin_client, "admin:catalog_catalogmodel_change", model.pk)
    assert "plans to remove this model on 2027-03-01" in html
    assert "@cf/meta/newer" in html
    assert ">added</a>" in html


def test_the_history_tells_an_operators_price(admin_client: Client) -> None:
    model = named(LLAMA)
    admin_client.post(change_url(model), form_of(model, usd_input_tokens="0.31"))
    said = LogEntry.objects.get().get_change_message()
    assert "per M input tokens: none → 0.31." in said


def test_prices_are_shown_in_neurons_too(admin_client: Client) -> None:
    html = page(admin_client, "admin:catalog_catalogmodel_change", named(LLAMA).pk)
    assert "26,364 per M input tokens" in html


def test_a_refresh_lists_what_it_changed(admin_client: Client) -> None:
    run = RefreshRun.objects.get()
    html = page(admin_client, "admin:catalog_refreshrun_change", run.pk)
    assert LLAMA in html
    assert "<strong>added</strong>" in html
    assert admin_client.get("/admin/catalog/refreshrun/x%00/change/").status_code in (302, 404)
