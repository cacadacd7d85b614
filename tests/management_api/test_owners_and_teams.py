"""`/api/owners/` and `/api/teams/`, as a script provisions them."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model

from keys.models import Limit, Membership, Team
from tests.keys.factories import issued, user
from tests.management_api.api_client import Api, assert_problem, new_token

pytestmark = pytest.mark.django_db


def test_an_owner_is_made_limited_and_made_inactive(api):
    body = {"username": "ada", "max_keys": 3, "limits": {"daily_usd": "5", "limit": ["rpd=9 a"]}}
    answer = api.post("/owners/", body)
    owner = answer.json()
    path = f"/owners/{owner['id']}/"
    assert (answer.status_code, answer["location"]) == (201, f"/api{path}")
    assert api.get(path).json() == owner
    assert (owner["limits"]["daily_usd"], owner["max_keys"], owner["active"]) == ("5", 3, True)
    account = get_user_model().objects.get(username="ada")
    assert not account.has_usable_password() and not account.is_staff
    key, _ = issued(owner=account)
    changed = api.patch(path, {"active": False, "limits": {"daily_usd": None, "limit": []}})
    assert changed.json()["active"] is False
    assert changed.json()["limits"]["daily_usd"] is None
    assert not Limit.objects.exists()
    assert api.get(f"/keys/{key.pk}/").json()["state"] == "owner inactive"
    assert api.patch(path, {"active": True}).json()["active"] is True
    assert [row["username"] for row in api.get("/owners/?username=ada").json()["data"]] == ["ada"]
    told = LogEntry.objects.filter(user__username="service:terraform", object_id=str(account.pk))
    assert {"Made.", "Made inactive.", "Made active."} <= {entry.change_message for entry in told}


BAD_OWNERS = [
    ({}, "#/username"),
    ({"username": "a b"}, "#/username"),
    ({"username": "taken"}, "#/username"),
    ({"username": "x", "is_staff": True}, "#/is_staff"),
    ({"username": "x", "is_superuser": True}, "#/is_superuser"),
    ({"username": "x", "password": "x"}, "#/password"),
    ({"username": "x", "email": "a@example.com"}, "#/email"),
    ({"username": "x", "max_keys": 2**31}, "#/max_keys"),
    ({"username": "x", "max_keys": -1}, "#/max_keys"),
    ({"username": "x", "active": None}, "#/active"),
    ({"username": "x", "limits": {"user_limit": []}}, "#/limits/user_limit"),
]


def test_an_owner_has_no_other_fields(api):
    user("taken")
    before = get_user_model().objects.count()
    for body, pointer in BAD_OWNERS:
        assert_problem(api.post("/owners/", body), 422, pointer=pointer)
    assert get_user_model().objects.count() == before


def test_operators_and_the_accounts_of_the_history_are_left_alone(api):
    operator = user("boss", is_staff=True)
    assert_problem(api.patch(f"/owners/{operator.pk}/", {"active": False}), 409)
    for name in ("service:terraform", "manage.py"):
        account = user(name)
        assert_problem(api.patch(f"/owners/{account.pk}/", {"active": True}), 404)
        assert api.get(f"/owners/?username={name}").json()["data"] == []
        made = api.post("/keys/", {"name": "x", "owner": "service:terraform"})
        assert_problem(made, 422, pointer="#/owner")


def test_a_team_is_made_changed_filled_and_deleted(api):
    made = api.post("/teams/", {"name": "law", "limits": {"monthly_usd": "90"}})
    team = made.json()
    path = f"/teams/{team['id']}/"
    assert made.status_code == 201 and api.get(path).json() == team
    assert_problem(api.post("/teams/", {"name": "law"}), 422, pointer="#/name")
    changed = api.patch(path, {"name": "lawyers", "limits": {"rpm": 9}}, if_match=made["etag"])
    assert changed.json()["limits"]["monthly_usd"] == "90"
    assert_problem(api.patch(path, {"notes": "x"}, if_match=made["etag"]), 412)
    ada, bob = user("ada"), user("bob")
    put = api("PUT", f"{path}members/{ada.pk}/", {"lead": True})
    assert (put.status_code, put.json()["lead"]) == (200, True)
    assert api("PUT", f"{path}members/{ada.pk}", {}).json()["lead"] is True
    assert api("PUT", f"{path}members/{bob.pk}", {}).json()["lead"] is False
    first = api.get(f"{path}members/?page_size=1").json()
    rest = api.get(f"{path}members/?page_size=1&cursor={first['next_cursor']}").json()
    assert [each["username"] for each in first["data"] + rest["data"]] == ["ada", "bob"]
    assert api.get(f"/owners/{ada.pk}/").json()["team"] == "lawyers"
    other = api.post("/teams/", {"name": "other"}).json()["id"]
    assert_problem(api("PUT", f"/teams/{other}/members/{ada.pk}/", {}), 409)
    assert api("DELETE", f"{path}members/{ada.pk}/").status_code == 204
    assert_problem(api("DELETE", f"{path}members/{ada.pk}/"), 404)
    assert_problem(api("DELETE", path, if_match='"x"'), 412)
    assert api("DELETE", path).status_code == 204
    assert not Membership.objects.exists() and Team.objects.count() == 1
    told = LogEntry.objects.filter(object_id=str(team["id"]), content_type__model="team")
    assert [entry.change_message for entry in told.order_by("pk")][:4] == [
        "Made.",
        "monthly-usd: none → 90.",
        "name: law → lawyers; rpm: none → 9.",
        "Added ada as lead.",
    ]


def test_each_limit_is_set_read_changed_and_taken_away(api):
    team = Team.objects.create(name="law")
    body = {"holder_type": "team", "holder_id": team.pk, "what": "usd", "window": "day"}
    made = api.post("/limits/", {**body, "amount": "5.5"})
    limit = made.json()
    assert limit["id"] == f"team-{team.pk}-daily-usd"
    assert (limit["holder"], limit["limit"], limit["used"]) == ("team:law", "daily-usd", "0")
    path = f"/limits/{limit['id']}/"
    assert api.get(path).json() == limit
    assert_problem(api.post("/limits/", {**body, "amount": 7}), 409)
    of_models = {**body, "what": "requests", "window": "minute", "models": ["b", "a"]}
    other = api.post("/limits/", {**of_models, "amount": 7}).json()
    assert other["models"] == ["a", "b"]
    changed = api.patch(f"/limits/{other['id']}", {"amount": 8})
    assert changed.json() == {**other, "amount": 8, "in_force": 8}
    listed = api.get(f"/limits/?holder_type=team&holder_id={team.pk}").json()["data"]
    assert sorted(each["id"] for each in listed) == sorted([limit["id"], other["id"]])
    assert_problem(api("DELETE", path, if_match='"x"'), 412)
    assert api("DELETE", path).status_code == 204
    assert_problem(api.get(path), 404)
    assert_problem(api("DELETE", path), 404)
    key, _ = issued()
    for kind in ("key", "owner", "user", "everybody"):
        holder = {"key": key.pk, "user": key.pk, "owner": key.owner_id, "everybody": 0}[kind]
        whose = {"holder_type": kind, "holder_id": holder, "what": "neurons", "window": "day"}
        answer = api.post("/limits/", {**whose, "amount": 100})
        assert answer.status_code == 201, answer.content
        again = api.get(f"/limits/{answer.json()['id']}/")
        assert again["etag"] == answer["etag"]
    key.revoke()
    assert_problem(api.patch(f"/limits/key-{key.pk}-daily-neurons/", {"amount": 5}), 409)


BAD_LIMITS = [
    ({"holder_type": "nobody"}, "#/holder_type"),
    ({"holder_type": "team", "holder_id": 10**18 - 1}, "#/holder_id"),
    ({"holder_type": "team", "holder_id": 2**64}, "#/holder_id"),
    ({"holder_type": "team"}, "#/holder_id"),
    ({"holder_id": 5}, "#/holder_id"),
    ({"what": "money"}, "#/what"),
    ({"window": None}, "#/window"),
    ({"window": "year"}, "#/window"),
    ({"what": "concurrency"}, "#/window"),
    ({"amount": None}, "#/amount"),
    ({"amount": 2**63}, "#/amount"),
    ({"amount": []}, "#/amount"),
    ({"models": ["x" * 201]}, "#"),
    ({"models": [str(n) for n in range(21)]}, "#"),
    ({"more": 1}, "#/more"),
]


def test_a_limit_that_cannot_be_is_refused_by_field(api):
    body = {"holder_type": "everybody", "what": "requests", "window": "day", "amount": 1}
    for more, pointer in BAD_LIMITS:
        assert_problem(api.post("/limits/", {**body, **more}), 422, pointer=pointer)
    assert not Limit.objects.exists()


def test_ids_of_no_limit_are_not_found(api):
    for name in ("x", "key-1", "key-1-rpm-0123456789abcdef", "key-9-daily-usd", "user-x-rpm"):
        assert_problem(api.get(f"/limits/{name}/"), 404)
        assert_problem(api.patch(f"/limits/{name}/", {"amount": 1}), 404)


def test_raises_are_made_listed_and_ended(api):
    key, _ = issued(requests_per_minute=60)
    body = {"holder_type": "key", "holder_id": key.pk, "what": "requests", "window": "minute"}
    body |= {"plus": 20, "until": "2099-01-31", "why": "launch"}
    made = api.post("/raises/", body)
    one = made.json()
    assert (made.status_code, one["plus"], one["in_force"]) == (201, 20, True)
    assert one["made_by"] == "service:terraform"
    path = f"/raises/{one['id']}/"
    assert api.get(path).json() == one
    assert api.get(f"/limits/key-{key.pk}-rpm/").json()["in_force"] == 80
    assert len(api.get("/raises/?in_force=true").json()["data"]) == 1
    assert api.post(path + "end").json()["in_force"] is False
    listed = api.get(f"/raises/?in_force=false&holder_type=key&holder_id={key.pk}").json()
    assert [each["id"] for each in listed["data"]] == [one["id"]]
    for wrong, pointer in (
        ({"plus": None}, "#/plus"),
        ({"amount": 70}, "#"),
        ({"until": "2020-01-01"}, "#/until"),
        ({"why": ""}, "#/why"),
        ({"what": "tokens"}, "#"),
        ({"plus": 2**62 - 1}, "#"),
    ):
        assert_problem(api.post("/raises/", {**body, **wrong}), 422, pointer=pointer)


def test_raises_are_asked_for_granted_and_refused(api):
    key, _ = issued(requests_per_minute=60)
    body = {"holder_type": "key", "holder_id": key.pk, "what": "requests", "window": "minute"}
    body |= {"key_id": key.pk, "plus": 20, "until": "2099-01-31", "why": "launch"}
    first, second = (api.post("/raise-requests/", body).json() for _ in range(2))
    assert first["asked_by"] == "ada"
    granted = api.post(f"/raise-requests/{first['id']}/grant").json()
    assert (granted["request_state"], granted["decided_by"]) == ("granted", "service:terraform")
    assert api.get(f"/raises/{granted['raise_id']}/").json()["plus"] == 20
    assert_problem(api.post(f"/raise-requests/{first['id']}/refuse"), 409)
    refused = api.post(f"/raise-requests/{second['id']}/refuse").json()
    assert refused["request_state"] == "refused"
    assert api.get("/raise-requests/?state=open").json()["data"] == []
    wrong = {**body, "what": "tokens"}
    assert_problem(api.post("/raise-requests/", wrong), 422, pointer="#")


def test_what_is_of_a_team_needs_the_scopes_of_teams():
    team = Team.objects.create(name="law")
    Limit.objects.create(
        holder_kind="team", holder_id=team.pk, what="requests", window="day", amount=5
    )
    keys = Api(new_token("keys:read", "keys:write")[1])
    teams = Api(new_token("teams:read", "teams:write")[1])
    body = {"holder_type": "team", "holder_id": team.pk, "what": "requests", "window": "day"}
    asked = {**body, "plus": 5, "until": "2099-01-31", "why": "x"}
    assert_problem(keys.post("/raises/", asked), 403, "scope_missing")
    assert_problem(keys.post("/limits/", {**body, "amount": 9}), 403, "scope_missing")
    assert_problem(keys.patch(f"/limits/team-{team.pk}-rpd/", {"amount": 9}), 403)
    assert_problem(keys("DELETE", f"/limits/team-{team.pk}-rpd/"), 403)
    one = teams.post("/raises/", asked).json()["id"]
    assert_problem(keys.post(f"/raises/{one}/end"), 403, "scope_missing")
    assert keys.get("/raises/").json()["data"] == []
    assert len(teams.get("/raises/").json()["data"]) == 1
    everybody = {"holder_type": "everybody", "what": "usd", "window": "day", "amount": 1}
    assert_problem(teams.post("/limits/", everybody), 403, "scope_missing")


def test_teams_and_keys_may_use_the_reserved_neurons(api):
    key, _ = issued()
    team = api.post("/teams/", {"name": "law", "uses_reserve": True}).json()
    for path, before in ((f"/teams/{team['id']}/", True), (f"/keys/{key.pk}/", False)):
        assert api.get(path).json()["uses_reserve"] is before
        assert api.patch(path, {"uses_reserve": not before}).json()["uses_reserve"] is not before
        told = LogEntry.objects.latest("pk").change_message
        assert told == f"use of the reserved neurons: {before} → {not before}."
        assert_problem(api.patch(path, {"uses_reserve": "maybe"}), 422, pointer="#/uses_reserve")
