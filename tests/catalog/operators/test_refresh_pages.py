import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import LONGEST_REFRESH, CatalogModel, RefreshRun
from tests.catalog.entries import FakeUpstream, entry
from tests.catalog.operators.pages import LIST, page
from workers_ai.errors import WorkersAIError


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
    assert "The refresh is running" in response.content.decode()
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
