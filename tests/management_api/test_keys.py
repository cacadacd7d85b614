"""`/api/keys/`: keys made, read, listed, changed, rotated and revoked by scripts."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError

from keys.models import Key, Limit
from management_api import idempotency
from management_api.models import KeptAnswer
from tests.keys.factories import issued, user
from tests.management_api.api_client import Api, assert_problem, new_token

pytestmark = pytest.mark.django_db


def made(api, **fields):
    user("ada")
    answer = api.post("/keys/", {"name": "ci", "owner": "ada", **fields})
    assert answer.status_code == 201, answer.content
    return answer


def test_a_key_is_made_read_and_found_again(api):
    limits = {"rpm": 60, "daily_usd": "5.50", "weekly_usd": 7, "models": ["@cf/meta/*"]}
    limits |= {"limit": ["rpm=20 @cf/openai/*"], "user_limit": ["daily-usd=1"]}
    answer = made(api, limits=limits, notes="of the robots", expires_at="2099-01-31")
    key = answer.json()
    assert answer["location"] == f"/api/keys/{key['id']}/"
    assert answer["cache-control"] == "no-store"
    read = api.get(f"/keys/{key['id']}")
    assert read["etag"] == answer["etag"]
    text = key.pop("key")
    assert text.startswith(key["prefix"])
    assert read.json() == key
    assert key["expires_at"] == "2099-01-31T23:59:59Z"
    shown = key["limits"]
    assert (shown["rpm"], shown["daily_usd"], shown["weekly_usd"]) == (60, "5.5", "7")
    assert (shown["tpm"], shown["monthly_tokens"]) == (None, None)
    assert shown["limit"] == ["rpm=20 @cf/openai/*"]
    assert shown["user_limit"] == ["daily-usd=1"]
    assert api.get("/keys/", if_none_match="x").status_code == 200
    assert api.get(f"/keys/{key['id']}/", if_none_match=read["etag"]).status_code == 304


def test_an_owner_who_is_missing_is_made_with_the_key(api):
    answer = api.post("/keys/", {"name": "ci", "owner": "newcomer"})
    assert answer.status_code == 201
    owner = api.get("/owners/?username=newcomer").json()["data"][0]
    assert owner["id"] == answer.json()["owner_id"]
    refused = api.post("/keys/", {"name": "", "owner": "another"})
    assert refused.status_code == 422
    assert api.get("/owners/?username=another").json()["data"] == []


def test_a_change_changes_what_it_names(api):
    key = made(api, limits={"rpm": 60, "limit": ["rpm=2 a", "rpm=3 b"], "networks": ["10.0.0.0/8"]})
    path = f"/keys/{key.json()['id']}/"
    changed = api.patch(path, {"name": "desk", "limits": {"rpm": None, "limit": ["rpm=5 b"]}})
    shown = changed.json()
    assert (shown["name"], shown["limits"]["rpm"]) == ("desk", None)
    assert shown["limits"]["limit"] == ["rpm=5 b"]
    assert shown["limits"]["networks"] == ["10.0.0.0/8"]
    assert Limit.objects.count() == 1
    entries = LogEntry.objects.filter(user__username="service:terraform").order_by("pk")
    told = [entry.change_message for entry in entries]
    assert told[0].startswith("Issued, sk-wai-")
    assert "name: ci → desk; rpm: 60 → none; rpm b: 3 → 5; rpm a: 2 → none." in told[1]


def test_a_rotated_key_has_a_new_secret_and_a_revoked_one_stays_so(api):
    first = made(api).json()
    path = f"/keys/{first['id']}/"
    rotated = api.post(path + "rotate/", {"overlap": "1h"}).json()
    assert rotated["key"] != first["key"] and rotated["id"] == first["id"]
    assert api.post(path + "revoke").json()["state"] == "revoked"
    assert api.post(path + "revoke").json()["state"] == "revoked"
    assert_problem(api.post(path + "rotate"), 409)
    assert_problem(api.patch(path, {"limits": {"rpm": 5}}), 409)
    assert api.patch(path, {"notes": "gone"}).status_code == 200
    assert_problem(api("DELETE", path), 405)


def test_lists_are_filtered_and_come_in_pages(api):
    ids = [made(api, name=f"key {n}").json()["id"] for n in range(5)]
    issued("other", owner=user("bob"))
    page = api.get("/keys/?owner=ada&page_size=2").json()
    found = [key["id"] for key in page["data"]]
    while page["next_cursor"]:
        cursor = page["next_cursor"]
        page = api.get(f"/keys/?owner=ada&page_size=2&cursor={cursor}").json()
        found += [key["id"] for key in page["data"]]
    assert found == ids
    assert [key["name"] for key in api.get("/keys/?name=key%203").json()["data"]] == ["key 3"]
    api.post(f"/keys/{ids[0]}/revoke")
    assert [key["id"] for key in api.get("/keys/?state=revoked").json()["data"]] == ids[:1]


BAD_QUERIES = [
        "cursor=x", "cursor=%00", "cursor=%FF", "cursor=LTE", "page_size=0", "page_size=201",
        "page_size=" + "9" * 30, "state=alive", "state=active&state=active", "team=x",
        "team=" + "9" * 30, "owner=%00", "nothing=1", "format=xml",
        "cursor=" + "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5",
    ]  # fmt: skip


def test_parameters_that_cannot_be_used_are_named(api):
    for query in BAD_QUERIES:
        told = assert_problem(api.get(f"/keys/?{query}"), 400, "invalid_parameter")
        assert told["errors"][0]["pointer"].startswith("?"), query


BAD_FIELDS = [
    ({"name": ""}, "#/name"),
    ({"name": None}, "#/name"),
    ({"name": 5}, "#/name"),
    ({"name": "x" * 121}, "#/name"),
    ({"owner": "no body"}, "#/owner"),
    ({"owner": "service:ci"}, "#/owner"),
    ({"owner": "gone"}, "#/owner"),
    ({"id": 1}, "#/id"),
    ({"revoked_at": None}, "#/revoked_at"),
    ({"is_static": True}, "#/is_static"),
    ({"owner_id": 1}, "#/owner_id"),
    ({"capture_text": True}, "#/capture_text"),
    ({"a/b~c": 1}, "#/a~1b~0c"),
    ({"expires_at": "2020-01-01"}, "#/expires_at"),
    ({"expires_at": "soon"}, "#/expires_at"),
    ({"expires_at": "0001-01-01T00:00:00+14:00"}, "#/expires_at"),
    ({"queue_weight": 0}, "#/queue_weight"),
    ({"queue_weight": 10**30}, "#/queue_weight"),
    ({"queue_weight": "5"}, "#/queue_weight"),
    ({"limits": None}, "#/limits"),
    ({"limits": []}, "#/limits"),
    ({"limits": {"rpm": 0}}, "#/limits/rpm"),
    ({"limits": {"rpm": -1}}, "#/limits/rpm"),
    ({"limits": {"rpm": True}}, "#/limits/rpm"),
    ({"limits": {"rpm": 1.5}}, "#/limits/rpm"),
    ({"limits": {"rpm": 2**64}}, "#/limits/rpm"),
    ({"limits": {"rpm": "9" * 5000}}, "#/limits/rpm"),
    ({"limits": {"daily_usd": "a lot"}}, "#/limits/daily_usd"),
    ({"limits": {"daily_usd": 1e400}}, ""),
    ({"limits": {"daily_usd": {}}}, "#/limits/daily_usd"),
    ({"limits": {"RPM": 1}}, "#/limits/RPM"),
    ({"limits": {"limit": ["rpm=20"]}}, "#/limits/limit/0"),
    ({"limits": {"limit": ["rpm=2 a", "rpm=3 a"]}}, "#/limits/limit"),
    ({"limits": {"limit": ["rpm= a"]}}, "#/limits/limit/0"),
    ({"limits": {"user_limit": ["x"]}}, "#/limits/user_limit/0"),
    ({"limits": {"networks": ["10.0.0.1/8"]}}, "#/limits/networks"),
    ({"limits": {"endpoints": ["cooking"]}}, "#/limits/endpoints"),
    ({"limits": {"models": [""]}}, "#/limits/models/0"),
    ({"limits": {"models": "x"}}, "#/limits/models"),
]


def test_a_field_that_cannot_be_used_is_named_and_nothing_is_made(api):
    user("ada")
    user("gone", is_active=False)
    for body, pointer in BAD_FIELDS:
        refused = api.post("/keys/", {"name": "ci", "owner": "ada", **body})
        if pointer:
            assert_problem(refused, 422, "invalid_fields", pointer)
        else:
            assert_problem(refused, 400, "unreadable_json")
    assert not Key.objects.exists()


BAD_BODIES = [
    (b"{", 400),
    (b"[]", 400),
    (b'"x"', 400),
    (b"\xff", 400),
    (b'{"name": "a\\u0000"}', 400),
    (b'{"name": "\\ud800"}', 400),
    (b'{"\\ud800": 1}', 400),
    (b'{"name": 1, "name": 2}', 400),
    (b'{"name": NaN}', 400),
    (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400),
    (b"[" * 100_000, 400),
    (b'{"x":' + b"9" * 6000 + b"}", 400),
    (b'{"x":"' + b"x" * 300_000 + b'"}', 413),
]


def test_bodies_that_cannot_be_read_are_refused(api):
    for body, status in BAD_BODIES:
        sent = {"data": body, "content_type": "application/json", "headers": api.headers}
        assert_problem(api.http.post("/api/keys/", **sent), status)


def test_other_failures_are_problems_too(api):
    path = f"/keys/{made(api).json()['id']}/"
    form = {"data": "name=x", "content_type": "application/x-www-form-urlencoded"}
    refused = api.http.post("/api/keys/", headers=api.headers, **form)
    assert_problem(refused, 415, "unsupported_media_type")
    refused = api("PUT", path, {})
    assert_problem(refused, 405, "method_not_allowed")
    assert "PATCH" in refused["allow"]
    assert_problem(api.get("/keys/999999999999999999/"), 404, "not_found")
    for wrong in ("/keys/9999999999999999999/", "/keys/x/", "/keys/1/2/", "/", "/nothing", "/%00"):
        assert_problem(api.get(wrong), 404, "not_found")
    assert_problem(api("PROPFIND", path), 405)
    assert api("OPTIONS", path).status_code == 204
    assert api("HEAD", path).status_code == 200
    wrong_host = api.http.get("/api/keys/", headers={**api.headers, "host": "evil.example"})
    assert_problem(wrong_host, 400, "bad_request")


def test_a_change_meant_for_another_state_is_refused(api):
    key = made(api)
    path = f"/keys/{key.json()['id']}/"
    changed = api.patch(path, {"notes": "1"}, if_match=key["etag"])
    assert changed.status_code == 200 and changed["etag"] != key["etag"]
    for send in (
        lambda: api.patch(path, {"notes": "2"}, if_match=key["etag"]),
        lambda: api.patch(path, {"notes": "2"}, if_match=f"W/{changed['etag']}"),
        lambda: api.post(path + "rotate", if_match=key["etag"]),
        lambda: api.post(path + "revoke", if_match=key["etag"]),
    ):
        assert_problem(send(), 412, "changed_meanwhile")
    assert api.patch(path, {"notes": "2"}, if_match=f'"x", {changed["etag"]}').status_code == 200
    assert api.patch(path, {"notes": "3"}, if_match="*").status_code == 200


def test_a_post_that_is_sent_twice_is_done_once(api):
    user("ada")
    body = {"name": "ci", "owner": "ada"}
    first = api.post("/keys/", body, idempotency_key="one")
    again = api.post("/keys", {"owner": "ada", "name": "ci"}, idempotency_key="one")
    assert (again.status_code, again["idempotency-replayed"]) == (201, "true")
    assert again.json() == {**first.json(), "key": None}
    assert (again["location"], again["etag"]) == (first["location"], first["etag"])
    other = api.post("/keys/", {**body, "name": "cd"}, idempotency_key="one")
    assert_problem(other, 422, "idempotency_key_reused")
    assert Key.objects.count() == 1
    for wrong in ("x" * 256, "a b", "é", ""):
        assert_problem(api.post("/keys/", body, idempotency_key=wrong), 400)
    refused = api.post("/keys/", {**body, "name": ""}, idempotency_key="two")
    assert_problem(refused, 422, pointer="#/name")
    assert api.post("/keys/", body, idempotency_key="two").status_code == 201
    other_token = Api(new_token()[1])
    assert other_token.post("/keys/", body, idempotency_key="one").json()["key"]
    path = f"/keys/{first.json()['id']}/rotate"
    secret = api.post(path, {}, idempotency_key="one").json()["key"]
    assert secret and api.post(path, idempotency_key="one").json()["key"] is None


def test_answers_are_kept_without_their_secrets(api):
    text = made_with_key(api)
    assert text not in str(list(KeptAnswer.objects.values()))


def made_with_key(api):
    user("ada")
    return api.post("/keys/", {"name": "ci", "owner": "ada"}, idempotency_key="k").json()["key"]


def test_of_a_tokens_answers_the_newest_are_kept(api, monkeypatch):
    monkeypatch.setattr(idempotency, "MOST_KEPT", 2)
    monkeypatch.setattr(idempotency, "_LOOKED_EVERY", 1)
    for name in "abcd":
        assert api.post("/teams/", {"name": name}, idempotency_key=name).status_code == 201
    assert KeptAnswer.objects.count() == 2
    assert api.post("/teams/", {"name": "d"}, idempotency_key="d").status_code == 201


def test_what_fails_in_the_gateway_is_a_problem_too(api, monkeypatch):
    def fail(error):
        def raise_it(*words):
            raise error

        monkeypatch.setattr("management_api.authentication.token_with_text", raise_it)
        return api.get("/keys/")

    refused = fail(OperationalError("connection refused"))
    assert_problem(refused, 503, "database_unavailable")
    assert refused["retry-after"] == "5"
    assert_problem(fail(RuntimeError("sk-wai-secret")), 500, "internal_error")
