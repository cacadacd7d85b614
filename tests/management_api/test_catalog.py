"""`/api/models/`, `/api/aliases/` and `/api/refreshes/`."""

import pytest
from django.contrib.admin.models import LogEntry

from catalog.models import Alias, CatalogModel, RefreshRun
from tests.management_api.api_client import assert_problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def models(db):
    return [
        CatalogModel.objects.create(
            name=name,
            classification={"endpoints": ["chat"] if name == "@cf/a/one" else []},
            prices={"amounts": {"input_tokens": 200_000_000}},
            price_source="catalog",
        )
        for name in ("@cf/a/one", "@cf/a/two", "@cf/a/three")
    ]


def test_models_are_read_filtered_and_switched(api, models):
    one = models[0]
    answer = api.get(f"/models/{one.pk}/")
    assert answer.json()["prices_usd"] == {"input_tokens": "0.2"}
    found = api.get("/models/?endpoint=chat").json()["data"]
    assert [model["name"] for model in found] == ["@cf/a/one"]
    changed = api.patch(f"/models/{one.pk}/", {"enabled": False}, if_match=answer["etag"])
    assert changed.json()["enabled"] is False
    assert_problem(api.patch(f"/models/{one.pk}/", {"notes": "x"}, if_match=answer["etag"]), 412)
    assert [model["id"] for model in api.get("/models/?state=off").json()["data"]] == [one.pk]
    assert LogEntry.objects.latest("pk").change_message == "enabled: True → False."
    assert_problem(api.patch(f"/models/{one.pk}/", {"name": "x"}), 422, pointer="#/name")
    assert_problem(api.post("/models/", {}), 405)


def test_aliases_are_made_moved_and_removed(api, models):
    body = {"alias": "gpt-4o", "model": "@cf/a/one", "fallbacks": ["@cf/a/two"]}
    made = api.post("/aliases/", body)
    alias = made.json()
    path = f"/aliases/{alias['id']}/"
    assert (made.status_code, made["location"]) == (201, f"/api{path}")
    assert {**body, "id": alias["id"], "created_at": alias["created_at"]} == alias
    assert api.get(path)["etag"] == made["etag"]
    moved = api.patch(path, {"model": "@cf/a/three"}, if_match=made["etag"]).json()
    assert (moved["model"], moved["fallbacks"]) == ("@cf/a/three", ["@cf/a/two"])
    assert_problem(api.patch(path, {"fallbacks": []}, if_match=made["etag"]), 412)
    told = [entry.change_message for entry in LogEntry.objects.order_by("pk")][-2:]
    assert told == ["gpt-4o → @cf/a/one → @cf/a/two.", "gpt-4o → @cf/a/three → @cf/a/two."]
    for wrong, pointer in (
        ({"alias": "gpt-4o"}, "#/alias"),
        ({"alias": "a b"}, "#/alias"),
        ({"alias": "@cf/a/two"}, "#/alias"),
        ({"alias": "x", "model": "@cf/a/nine"}, "#/model"),
        ({"alias": "x", "fallbacks": ["@cf/a/nine"]}, "#/fallbacks"),
        ({"alias": "x", "fallbacks": ["@cf/a/one"]}, "#/fallbacks"),
        ({"alias": "x", "target": 1}, "#/target"),
    ):
        assert_problem(api.post("/aliases/", {**body, **wrong}), 422, pointer=pointer)
    assert api("DELETE", path).status_code == 204
    assert not Alias.objects.exists()
    assert_problem(api("DELETE", path), 404)


def test_a_refresh_is_begun_once_and_read(api):
    begun = api.post("/refreshes/", idempotency_key="now")
    run = begun.json()
    assert (begun.status_code, run["state"]) == (202, "running")
    assert api.get(f"/refreshes/{run['id']}/").json() == run
    assert api.post("/refreshes/", idempotency_key="now").json() == run
    assert_problem(api.post("/refreshes/"), 409)
    assert RefreshRun.objects.count() == 1
