"""Accepting a model's terms, and what refusals taught, on the model's page."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from catalog import learnt
from catalog.models import CatalogModel
from tests.catalog.entries import LLAMA
from tests.catalog.operators.pages import change_url, named
from workers_ai.errors import LicenceNotAccepted


@pytest.fixture(autouse=True)
def nothing_is_learnt() -> Iterator[None]:
    learnt.forget()
    yield
    learnt.forget()


class Upstream:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.runs: list[tuple[str, bytes]] = []

    async def run(self, model: str, payload: bytes, **_: Any) -> None:
        self.runs.append((model, payload))
        if self.error is not None:
            raise self.error

    async def aclose(self) -> None:
        return


@pytest.fixture
def refused() -> CatalogModel:
    CatalogModel.objects.filter(name=LLAMA).update(access="terms", access_words="submit 'agree'")
    return named(LLAMA)


def accept(
    client: Client, model: CatalogModel, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> str:
    monkeypatch.setattr("workers_ai.configured.client_from_settings", lambda: upstream)
    url = reverse("admin:catalog_accept_terms", args=[model.pk])
    return client.post(url, follow=True).content.decode()


def test_one_button_accepts_the_terms(
    admin_client: Client, refused: CatalogModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    html = admin_client.get(change_url(refused)).content.decode()
    assert "Accept the terms for the account" in html
    upstream = Upstream()
    assert "are accepted for the account" in accept(admin_client, refused, upstream, monkeypatch)
    assert upstream.runs == [(LLAMA, b'{"prompt":"agree"}')]
    assert named(LLAMA).access == ""
    entry = LogEntry.objects.get(object_id=str(refused.pk))
    assert "Accepted the model" in entry.get_change_message()


def test_thanks_in_the_form_of_a_refusal_are_thanks(
    admin_client: Client, refused: CatalogModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    thanks = LicenceNotAccepted("Thank you for agreeing to the terms.", status=403, code=5016)
    accept(admin_client, refused, Upstream(thanks), monkeypatch)
    assert named(LLAMA).access == ""


def test_a_refused_acceptance_is_told(
    admin_client: Client, refused: CatalogModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = LicenceNotAccepted("submit the prompt 'agree'", status=403, code=5016)
    html = accept(admin_client, refused, Upstream(error), monkeypatch)
    assert "did not take the acceptance" in html
    assert named(LLAMA).access == "terms"


def test_the_page_tells_what_refusals_taught(admin_client: Client) -> None:
    learnt.habit(LLAMA, "one_call_a_turn", "only supports single tool-calls at once!")
    learnt.context_window(LLAMA, 8_000, "maximum context length is 8000 tokens", listed=24_000)
    html = admin_client.get(change_url(named(LLAMA))).content.decode()
    assert "One tool call a turn" in html
    assert "Context window of 8,000 tokens" in html
    assert "only supports single tool-calls at once!" in html
