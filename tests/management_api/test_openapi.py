"""The OpenAPI document, and the page to read it."""

import json
import re

import pytest
from django.test import Client

from keys.log.export import FIELDS
from management_api.openapi import document
from management_api.resources.keys import ShownKey
from management_api.resources.logs import ShownRow
from management_api.resources.raises import ShownRaise
from management_api.resources.teams import ShownTeam
from tests.keys.factories import issued
from tests.management_api.api_client import assert_problem


def test_the_document_is_read_without_a_token_and_only_read() -> None:
    http = Client()
    answer = http.get("/api/schema/")
    assert answer["content-type"] == "application/vnd.oai.openapi+json"
    told = json.loads(answer.content)
    assert told["servers"] == [{"url": "/api"}]
    assert told["paths"]["/keys/"]["post"]["responses"].keys() >= {"201", "401", "403", "422"}
    for path in ("/api/schema", "/api/docs"):
        assert http.head(path).status_code == 200
        assert_problem(http.post(path), 405, "method_not_allowed")


def test_every_link_of_the_document_leads_somewhere() -> None:
    text = json.dumps(document())
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert names <= set(document()["components"]["schemas"])


def test_the_page_has_every_operation_and_asks_no_other_host() -> None:
    answer = Client().get("/api/docs/")
    page = answer.content.decode()
    for path, operations in document()["paths"].items():
        for method in operations:
            assert f"{method.upper()} /api{path}" in page
    assert "default-src 'self'" in answer["content-security-policy"]
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert "<script>" not in page and "style=" not in page


@pytest.mark.django_db
def test_answers_have_the_fields_that_the_document_tells(api) -> None:
    key, _ = issued(requests_per_minute=5)
    team = api.post("/teams/", {"name": "law"}).json()
    body = {"holder_type": "key", "holder_id": key.pk, "what": "requests", "window": "minute"}
    body |= {"plus": 5, "until": "2099-01-31", "why": "x"}
    shown = api.get(f"/keys/{key.pk}/").json()
    assert set(shown) == set(ShownKey().fields)
    assert set(shown["limits"]) == set(ShownKey().fields["limits"].fields)
    assert set(team) == set(ShownTeam().fields)
    assert set(api.post("/raises/", body).json()) == set(ShownRaise().fields)
    assert set(FIELDS) == set(ShownRow().fields)
