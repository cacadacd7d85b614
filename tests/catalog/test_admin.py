import asyncio
import re
import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import LONGEST_REFRESH, Alias, CatalogChange, CatalogModel, RefreshRun
from catalog.refresh.difference import Difference
from tests.catalog.entries import BGE, FLUX, LLAMA, FakeUpstream, entry
from workers_ai.errors import WorkersAIError

Refresh = Callable[..., Difference]

LIST = "admin:catalog_catalogmodel_changelist"


@pytest.fixture(autouse=True)
def _catalog(refreshed: Refresh) -> None:
    """Every test begins with the small catalog."""


@pytest.fixture
def admin_user(db: None) -> User:
    """Signed in without a password: hashing one for every test costs more than the tests."""
    return User.objects.create(username="operator", is_staff=True, is_superuser=True)


@pytest.fixture
def connected(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CLOUDFLARE_ACCOUNT_ID = "0" * 32
    monkeypatch.setattr("workers_ai.configured.client_from_settings", lambda: upstream)


@pytest.fixture
def slow_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page waits for the end of a refresh, however slow the machine is."""
    monkeypatch.setattr("catalog.refresh.in_background.AT_ONCE_S", 30.0)


def page(client: Client, view: str, *args: object, **query: str) -> str:
    response = client.get(reverse(view, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def named(name: str) -> CatalogModel:
    return CatalogModel.objects.get(name=name)


def form_of(model: CatalogModel, **fields: str) -> dict[str, str]:
    return {
        "enabled": "on",
        "notes": "",
        "aliases-TOTAL_FORMS": "0",
        "aliases-INITIAL_FORMS": "0",
        **fields,
    }


def change_url(model: CatalogModel) -> str:
    return reverse("admin:catalog_catalogmodel_change", args=[model.pk])


def test_the_list_shows_price_endpoints_and_state(admin_client: Client) -> None:
    html = page(admin_client, LIST)
    assert "$0.29 per M input tokens · $2.25 per M output tokens" in html
    assert "chat, completions, messages, responses" in html
    assert "(published)" in html


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
    assert "Planned to go on 2027-03-01" in html
    assert "@cf/meta/newer" in html
    assert ">added</a>" in html


def test_the_history_tells_an_operators_price(admin_client: Client) -> None:
    model = named(LLAMA)
    admin_client.post(change_url(model), form_of(model, usd_input_tokens="0.31"))
    said = LogEntry.objects.get().get_change_message()
    assert "per M input tokens: none → 0.31." in said


def test_prices_are_shown_in_neurons_too(admin_client: Client) -> None:
    assert "26,364 per M input tokens" in page(admin_client, LIST)


def test_a_refresh_lists_what_it_changed(admin_client: Client) -> None:
    run = RefreshRun.objects.get()
    html = page(admin_client, "admin:catalog_refreshrun_change", run.pk)
    assert LLAMA in html
    assert "<strong>added</strong>" in html
    assert admin_client.get("/admin/catalog/refreshrun/x%00/change/").status_code in (302, 404)


# --- Refresh now ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_refresh_now_tells_the_difference(
    admin_client: Client, upstream: FakeUpstream, connected: None, slow_enough: None
) -> None:
    upstream.entries.append(entry("@cf/a/new", "Translation"))
    response = admin_client.post(reverse("admin:catalog_refresh"), follow=True)
    html = response.content.decode()
    assert "@cf/a/new <strong>added</strong>" in html
    assert "5 models listed: 1 added." in html
    assert RefreshRun.objects.first().trigger == "admin"  # type: ignore[union-attr]


@pytest.mark.django_db(transaction=True)
def test_a_failed_refresh_is_told_and_changes_nothing(
    admin_client: Client, upstream: FakeUpstream, connected: None, slow_enough: None
) -> None:
    upstream.entries = WorkersAIError("no connection")  # type: ignore[assignment]
    response = admin_client.post(reverse("admin:catalog_refresh"), follow=True)
    assert "The list of models could not be read: no connection" in response.content.decode()
    assert CatalogModel.objects.filter(retired_at__isnull=True).count() == 4


@pytest.mark.django_db(transaction=True)
def test_a_refresh_that_takes_long_tells_how_far_it_is_and_no_second_one_begins(
    admin_client: Client,
    upstream: FakeUpstream,
    connected: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("catalog.refresh.in_background.AT_ONCE_S", 0.0)
    monkeypatch.setattr("catalog.refresh.progress.PROGRESS_EVERY_S", 0.0)
    asked, answered = threading.Event(), threading.Event()
    read = upstream.model_schema

    async def read_late(name: str) -> Any:
        if asked.is_set():
            await asyncio.to_thread(answered.wait, 20)
        asked.set()
        return await read(name)

    monkeypatch.setattr(upstream, "model_schema", read_late)
    response = admin_client.post(reverse("admin:catalog_refresh"), follow=True)
    run_page = response.request["PATH_INFO"]
    assert "It is running" in response.content.decode()
    assert 'http-equiv="refresh"' in response.content.decode()
    assert asked.wait(20)
    [thread] = [one for one in threading.enumerate() if one.name == "catalog refresh"]
    second = admin_client.post(reverse("admin:catalog_refresh"), follow=True)
    assert second.request["PATH_INFO"] == run_page
    assert "running already" in second.content.decode()
    assert "A refresh is running" in page(admin_client, LIST)
    answered.set()
    thread.join(20)
    html = admin_client.get(run_page).content.decode()
    assert "4 models listed: no change." in html
    assert "http-equiv" not in html
    run = RefreshRun.objects.filter(trigger="admin").get()
    assert (run.models_listed, run.schemas_read) == (4, run.schemas_wanted)


def test_of_two_who_begin_at_once_one_does(db: None) -> None:
    first = RefreshRun.begin_from_admin()
    assert first is not None
    assert RefreshRun.begin_from_admin() is None
    with pytest.raises(IntegrityError), transaction.atomic():
        RefreshRun.objects.create(trigger="admin")


def test_a_refresh_that_was_killed_says_so_and_stands_in_nobodys_way(admin_client: Client) -> None:
    long_ago = timezone.now() - LONGEST_REFRESH - timedelta(seconds=1)
    dead = RefreshRun.objects.create(trigger="admin", started_at=long_ago)
    assert "broke off" in page(admin_client, "admin:catalog_refresh_page", dead.pk)
    assert RefreshRun.begin_from_admin() is not None
    dead.refresh_from_db()
    assert dead.ok is False


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        ({}, "Reading the list of models."),
        ({"models_listed": 9, "schemas_wanted": 7, "schemas_read": 3}, "Read 3 of 7 schemas."),
        ({"models_listed": 9, "schemas_wanted": 7, "schemas_read": 7}, "Storing them."),
    ],
)
def test_the_page_of_a_refresh_tells_how_far_it_is(
    admin_client: Client, progress: dict[str, int], told: str
) -> None:
    run = RefreshRun.objects.create(trigger="admin", **progress)
    assert told in page(admin_client, "admin:catalog_refresh_page", run.pk)
    assert admin_client.get(reverse("admin:catalog_refresh_page", args=[999])).status_code == 404


def test_refreshing_takes_a_post(admin_client: Client, connected: None) -> None:
    assert admin_client.get(reverse("admin:catalog_refresh")).status_code == 405


def test_refreshing_takes_a_csrf_token(admin_user: User, connected: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(reverse("admin:catalog_refresh")).status_code == 403


def test_refreshing_takes_the_permission_to_change_models(client: Client, connected: None) -> None:
    viewer = User.objects.create(username="viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_catalogmodel"))
    client.force_login(viewer)
    assert "Refresh now" not in page(client, LIST)
    assert client.post(reverse("admin:catalog_refresh")).status_code == 403


def test_a_stranger_is_sent_to_the_login(client: Client, connected: None) -> None:
    response = client.post(reverse("admin:catalog_refresh"))
    assert response.status_code == 302
    assert "/login/" in response["Location"]
