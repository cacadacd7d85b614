"""Service tokens: who gets in with what, and who does not."""

import json
import re

import httpx
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import CommandError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys import key_text
from management_api.models import ServiceToken
from management_api.scopes import SCOPES
from tests.keys.factories import issued, user
from tests.keys.operators.test_admin import signed_in, texts
from tests.keys.test_commands import ran
from tests.management_api.api_client import Api, assert_problem, new_token

pytestmark = pytest.mark.django_db


def history():
    return [entry.change_message for entry in LogEntry.objects.order_by("pk")]


def test_commands_issue_list_and_revoke_a_token():
    words = ["terraform", "--scopes", "keys:write,keys:read", "--expires", "2027-01-31"]
    out, err = ran("issue_service_token", *words)
    text = out.strip()
    assert key_text.is_well_formed(text, key_text.SERVICE_PREFIX)
    assert text not in err
    assert text not in str(list(ServiceToken.objects.values()))
    [listed] = json.loads(ran("list_service_tokens", "--json")[0])
    assert listed["scopes"] == ["keys:read", "keys:write"]
    assert listed["expires_at"] == "2027-01-31T23:59:59Z"
    assert Api(text).get("/keys/").status_code == 200
    assert "Revoked" in ran("revoke_service_token", listed["prefix"])[0]
    assert "before" in ran("revoke_service_token", str(listed["id"]))[0]
    assert_problem(Api(text).get("/keys/"), 401, "invalid_token")
    assert [line.partition(",")[0] for line in history()] == [
        "Issued",
        "Revoked by the command revoke_service_token.",
    ]


BAD_OPTIONS = [
    (["--scopes", "keys:admin", "--expires", "2027-01-31"], "--scopes is 'keys:admin'"),
    (["--scopes", "", "--expires", "2027-01-31"], "--scopes is ''"),
    (["--scopes", "keys:read", "--expires", "2020-01-31"], "--expires: This moment is over"),
    (["--scopes", "keys:read", "--expires", "soon"], "--expires is 'soon'"),
    (
        ["--scopes", "keys:read", "--expires", "2027-01-31", "--networks", "10.0.0.1/8"],
        "--networks: '10.0.0.1/8' is not a network",
    ),
    (["--scopes", "keys:read", "--expires", "2027-01-31", "--rpm", "0"], "--rpm"),
]


def test_a_token_that_cannot_be_made_is_refused_by_option():
    for words, problem in BAD_OPTIONS:
        with pytest.raises(CommandError, match=problem):
            ran("issue_service_token", "terraform", *words)
    assert not ServiceToken.objects.exists()


def test_operators_issue_a_token_which_is_shown_once_and_revoke_it():
    operator = signed_in(user("operator", is_staff=True, is_superuser=True))
    sent = {
        "name": "grafana",
        "scopes": ["usage:read"],
        "expires_at_0": "2027-01-31",
        "expires_at_1": "00:00:00",
        "requests_per_minute": "5",
    }
    page = operator.post(reverse("admin:management_api_servicetoken_add"), sent)
    token = ServiceToken.objects.get()
    text = re.search(r'"(sk-wai-service-\w+)"', page.content.decode())[1]
    assert key_text.is_well_formed(text, key_text.SERVICE_PREFIX)
    assert "no-store" in page["cache-control"]
    change = reverse("admin:management_api_servicetoken_change", args=[token.pk])
    shown = operator.get(change).content.decode()
    assert token.shown in shown and text not in shown
    assert "grafana" in texts(operator.get(reverse("admin:management_api_servicetoken_changelist")))
    operator.post(reverse("admin:management_api_servicetoken_revoke", args=[token.pk]))
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert history() == [f"Issued, {token.shown}, for usage:read.", "Revoked."]


def test_an_operator_gives_a_token_no_scope_beyond_their_own_permissions():
    clerk = user("clerk", is_staff=True)
    codenames = ["add_servicetoken", "view_servicetoken", "view_requestlog"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    browser = signed_in(clerk)
    add = reverse("admin:management_api_servicetoken_add")
    sent = {
        "name": "mine",
        "expires_at_0": "2027-01-31",
        "expires_at_1": "00:00:00",
        "requests_per_minute": "5",
    }
    offered = set(re.findall(r'value="(\w+:\w+)"', browser.get(add).content.decode()))
    assert offered == {"usage:read", "logs:read"}
    for scope in set(SCOPES) - offered:
        refused = browser.post(add, {**sent, "scopes": ["usage:read", scope]})
        assert refused.status_code == 200 and "not one of the available" in texts(refused)
    assert not ServiceToken.objects.exists()
    assert browser.post(add, {**sent, "scopes": sorted(offered)}).status_code == 200
    assert set(ServiceToken.objects.get().scopes) == offered


def test_only_a_token_in_force_gets_in():
    _, text = new_token()
    assert_problem(Client().get("/api/keys/"), 401, "invalid_token")
    for wrong in (issued()[1], key_text.make_key(key_text.SERVICE_PREFIX), text[:-1], "x", "\xff"):
        refused = Api(wrong).get("/keys/")
        told = assert_problem(refused, 401, "invalid_token")["detail"]
        assert "unknown, expired or revoked" in told
        assert refused["www-authenticate"].startswith("Bearer")
    assert_problem(Api(text, authorization=f"Basic {text}").get("/keys/"), 401)
    ServiceToken.objects.update(expires_at=timezone.now())
    assert "unknown, expired or revoked" in assert_problem(Api(text).get("/keys/"), 401)["detail"]


def test_a_session_is_no_way_in_and_a_service_token_no_key(gateway):
    operator = gateway.database(lambda: user("op", is_staff=True, is_superuser=True))
    browser = {"cookie": f"gateway_session={gateway.session_of(operator)}"}
    text = gateway.database(lambda: new_token()[1])
    assert httpx.get(f"{gateway.url}/admin/", headers=browser).status_code == 200
    for path in ("/api/keys/", "/api/keys", "/api/", "/api/nothing"):
        refused = httpx.get(gateway.url + path, headers=browser)
        assert refused.status_code == 401, path
        assert refused.headers["content-type"] == "application/problem+json"
    as_key = {"authorization": f"Bearer {text}"}
    assert httpx.get(f"{gateway.url}/v1/models", headers=as_key).status_code == 401
    assert httpx.get(f"{gateway.url}/api/keys/", headers=as_key).status_code == 200
    assert httpx.get(f"{gateway.url}/api/keys/", headers={"x-api-key": text}).status_code == 401


def test_a_token_is_refused_from_networks_that_it_does_not_name():
    _, text = new_token(allowed_networks=["10.0.0.0/8"])
    assert_problem(Api(text).get("/keys/"), 403, "network_not_allowed")
    _, text = new_token(allowed_networks=["10.0.0.0/8", "127.0.0.0/8"])
    assert Api(text).get("/keys/").status_code == 200


def test_a_token_has_so_many_requests_a_minute():
    _, text = new_token(requests_per_minute=3)
    api = Api(text)
    assert [api.get("/keys/").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = api.get("/keys/")
    assert 1 <= int(refused["retry-after"]) <= 61
    assert_problem(refused, 429, "rate_limited")


def test_a_script_is_not_redirected_with_its_body(settings):
    settings.SECURE_SSL_REDIRECT = True
    answer = Api(new_token()[1]).post("/keys", {})
    assert_problem(answer, 422)
    assert Client().get("/admin/").status_code == 301
