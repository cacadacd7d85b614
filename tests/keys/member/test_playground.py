"""The playground's own small answers, and what a token does at the API of a live gateway."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.test import Client

from keys.models import Key
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.keys.factories import issued, log_row, user
from tests.keys.member.conftest import signed_in
from tests.keys.member.test_keys import texts

TOKEN = "/playground/token/"
MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


# --- The page and its answers ---------------------------------------------------------------------


def test_the_page_offers_own_keys_in_force(member: Client, ada: Any) -> None:
    assert "You have no active key" in texts(member.get("/playground/"))
    issued("mine", owner=ada)
    issued("of bob", owner=user("bob"))
    issued("ended", owner=ada)[0].revoke()
    page = texts(member.get("/playground/?key=99999999999999999999"))
    assert "mine" in page and "of bob" not in page and "ended" not in page


def test_a_token_is_made_for_own_keys_in_force_only(member: Client, ada: Any) -> None:
    key, _ = issued(owner=ada)
    other, _ = issued(owner=user("bob"))
    made = member.post(TOKEN, {"key": key.pk})
    assert made.json()["token"].startswith("play-wai-") and made.json()["expires_in_s"] == 600
    assert "no-store" in made["Cache-Control"]
    assert member.post(TOKEN, {"key": other.pk}).status_code == 404
    key.revoke()
    assert member.post(TOKEN, {"key": key.pk}).status_code == 404
    for nonsense in ("", "x", "-1", "9" * 40, "\x00"):
        assert member.post(TOKEN, {"key": nonsense}).status_code in (400, 404)


def test_a_token_takes_a_session_a_form_of_the_page_and_a_post(ada: Any) -> None:
    key, _ = issued(owner=ada)
    assert Client().post(TOKEN, {"key": key.pk}).status_code == 401
    browser = signed_in(ada, enforce_csrf_checks=True)
    assert browser.post(TOKEN, {"key": key.pk}).status_code == 403
    assert browser.get(TOKEN).status_code == 405


def test_what_an_answer_cost_is_told_to_whose_it_is(member: Client, ada: Any) -> None:
    log_row("mine", owner_id=ada.pk, cost_nano_usd=23_800, neurons_micro=2_163_636, prompt_tokens=0)
    log_row("of-bob", owner_id=user("bob").pk, cost_nano_usd=1)
    told = member.get("/playground/requests/mine/").json()
    assert (told["cost_usd"], told["cost_shown"]) == ("0.0000238", "$0.0000238")
    assert (told["neurons"], told["neurons_shown"]) == ("2.163636", "2.16")
    assert (told["prompt_tokens"], told["completion_tokens"]) == (0, None)
    for request_id in ("of-bob", "no-such", "%00", "é"):
        assert member.get(f"/playground/requests/{request_id}/").status_code == 204
    assert Client().get("/playground/requests/mine/").status_code == 401


# --- A live gateway -------------------------------------------------------------------------------


class Browser:
    """A member's session at the gateway, and a token for a key of theirs."""

    def __init__(self, gateway: GatewayProcess, http: httpx.Client, key: Key) -> None:
        self.gateway, self.http, self.key = gateway, http, key

    def post(self, path: str, **form: Any) -> httpx.Response:
        csrf = self.http.cookies[settings.CSRF_COOKIE_NAME]
        return self.http.post(path, data=form, headers={"X-CSRFToken": csrf})

    def token(self) -> str:
        made = self.post(TOKEN, key=str(self.key.pk))
        assert made.status_code == 200, made.text
        return str(made.json()["token"])

    def chat(self, token: str, **headers: str) -> httpx.Response:
        return self.http.post(
            "/v1/chat/completions",
            headers={"Authorization": f"Bearer {token}", **headers},
            json={"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]},
        )


@pytest.fixture
def browser(gateway: GatewayProcess) -> Iterator[Browser]:
    name = f"player-{uuid.uuid4().hex[:8]}"
    key, _ = gateway.issue("play", owner=name, allowed_models=["@cf/meta/*"])
    cookies = {settings.SESSION_COOKIE_NAME: gateway.session_of(key.owner)}
    with httpx.Client(base_url=gateway.url, cookies=cookies, timeout=30) as http:
        assert http.get("/playground/").status_code == 200
        yield Browser(gateway, http, key)


def test_a_token_is_the_key_to_the_api_until_the_key_is_revoked(browser: Browser) -> None:
    gateway, token = browser.gateway, browser.token()
    request_id = f"play_{uuid.uuid4().hex}"
    answer = browser.chat(token, **{"X-Request-Id": request_id})
    assert answer.status_code == 200
    row = gateway.row(request_id)
    assert (row.key_id, row.owner_id, row.key_name) == (
        browser.key.pk,
        browser.key.owner_id,
        "play",
    )
    told = browser.http.get(f"/playground/requests/{request_id}/").json()
    assert told["cost_usd"] not in (None, "0")
    assert told["completion_tokens"] == answer.json()["usage"]["completion_tokens"]

    listed = browser.http.get("/v1/models", headers={"Authorization": f"Bearer {token}"})
    names = {model["id"] for model in listed.json()["data"]}
    assert MODEL in names and all(name.startswith("@cf/meta/") for name in names)

    gateway.database(browser.key.revoke)
    gateway.wait_until(lambda: browser.chat(token).status_code == 401, "the token is out of use")
    assert_openai_error(browser.chat(token), 401, code="invalid_api_key", says="revoked")


def test_a_token_ends_with_signing_out(browser: Browser) -> None:
    token = browser.token()
    assert browser.chat(token).status_code == 200
    form = {"csrfmiddlewaretoken": browser.http.cookies[settings.CSRF_COOKIE_NAME]}
    assert browser.http.post("/accounts/logout/", data=form).status_code == 302
    browser.gateway.wait_until(
        lambda: browser.chat(token).status_code == 401, "the token is out of use", 5
    )


def test_tokens_end_with_a_password_that_is_changed_in_any_way(browser: Browser) -> None:
    token = browser.token()
    assert browser.chat(token).status_code == 200
    hashed = make_password("another one")
    # Past every form and signal, as a command or SQL does.
    accounts = get_user_model().objects.filter(pk=browser.key.owner_id)
    browser.gateway.database(lambda: accounts.update(password=hashed))
    browser.gateway.wait_until(
        lambda: browser.chat(token).status_code == 401, "the token is out of use", 10
    )


def test_an_account_that_is_made_inactive_takes_its_tokens_along(browser: Browser) -> None:
    token = browser.token()
    assert browser.chat(token).status_code == 200
    accounts = get_user_model().objects.filter(pk=browser.key.owner_id)
    browser.gateway.database(lambda: accounts.update(is_active=False))
    browser.gateway.wait_until(
        lambda: browser.chat(token).status_code == 401, "the token is out of use", 10
    )


def test_rows_say_the_new_name_of_an_owner(browser: Browser) -> None:
    gateway, key = browser.gateway, browser.key
    accounts = get_user_model().objects.filter(pk=key.owner_id)
    new_name = f"renamed-{key.owner_id}"
    token = browser.token()
    assert browser.chat(token).status_code == 200
    gateway.database(lambda: accounts.update(username=new_name))

    def says_so() -> bool:
        request_id = f"play_{uuid.uuid4().hex}"
        browser.chat(token, **{"X-Request-Id": request_id})
        return gateway.row(request_id).owner_name == new_name

    gateway.wait_until(says_so, "rows say the new name", 10)


def test_a_forged_token_is_told_nothing(browser: Browser) -> None:
    token = browser.token()
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    assert_openai_error(browser.chat(forged), 401, code="invalid_api_key", says="not a key")
