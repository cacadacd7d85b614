"""In by password, out by a form, and a new password."""

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from keys.access.playground_token import session_mark
from keys.models import EndedSession
from tests.keys.member.conftest import signed_in
from tests.keys.member.test_keys import texts

RIGHT = "the right password"
IN, OUT, PASSWORD = "/accounts/login/", "/accounts/logout/", "/accounts/password/"


@pytest.fixture
def ada(db: None) -> Any:
    return get_user_model().objects.create_user("ada", password=RIGHT)


def sign_in(browser: Client, name: str = "ada", password: str = RIGHT, **more: str) -> Any:
    return browser.post(IN, {"username": name, "password": password, **more})


def is_in(browser: Client) -> bool:
    return browser.get("/").status_code == 200


def test_a_member_signs_in_and_out(ada: Any) -> None:
    browser = Client()
    assert sign_in(browser)["Location"] == "/"
    assert is_in(browser)
    assert "ada" in texts(browser.get("/"))
    assert browser.post(OUT)["Location"] == IN
    assert not is_in(browser)


def test_a_wrong_password_and_an_unknown_name_read_the_same(ada: Any) -> None:
    wrong = sign_in(Client(), password="wrong")
    unknown = sign_in(Client(), name="nobody")
    assert wrong.status_code == unknown.status_code == 200
    assert "enter a correct username and password" in texts(wrong)
    assert texts(wrong) == texts(unknown)


def test_guessing_ends_in_the_members_look(ada: Any) -> None:
    browser = Client()
    statuses = [sign_in(browser, password="wrong").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    refused = sign_in(browser)
    assert "Wait 5 minutes" in texts(refused) and int(refused["Retry-After"]) > 200
    assert not is_in(browser)


def test_an_account_that_is_not_active_stays_out(ada: Any) -> None:
    ada.is_active = False
    ada.save()
    assert sign_in(Client()).status_code == 200


@pytest.mark.parametrize(
    ("next_page", "leads_to"),
    [("/usage/", "/usage/"), ("https://evil.example/", "/"), ("//evil.example/", "/")],
)
def test_the_way_leads_on_to_pages_of_the_gateway_only(
    ada: Any, next_page: str, leads_to: str
) -> None:
    assert sign_in(Client(), next=next_page)["Location"] == leads_to


def test_a_link_does_not_sign_anybody_out(ada: Any) -> None:
    browser = signed_in(ada)
    assert browser.get(OUT).status_code == 405
    assert is_in(browser)


def test_forms_from_elsewhere_sign_nobody_in_or_out(ada: Any) -> None:
    assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403
    browser = signed_in(ada, enforce_csrf_checks=True)
    assert browser.post(OUT).status_code == 403


def test_who_is_in_needs_no_form(ada: Any) -> None:
    assert signed_in(ada).get(IN)["Location"] == "/"


def test_a_new_password_takes_the_old_one(ada: Any) -> None:
    browser, elsewhere = signed_in(ada), signed_in(ada)
    new = "another good passphrase"
    form = {"old_password": "wrong", "new_password1": new, "new_password2": new}
    assert "incorrectly" in texts(browser.post(PASSWORD, form))
    assert browser.post(PASSWORD, {**form, "old_password": RIGHT})["Location"] == "/"
    assert "Your password is changed" in texts(browser.get("/"))
    assert not is_in(elsewhere)
    assert sign_in(Client(), password=new).status_code == 302


def test_a_weak_password_is_told_so(ada: Any) -> None:
    form = {"old_password": RIGHT, "new_password1": "12345678", "new_password2": "12345678"}
    assert "too common" in texts(signed_in(ada).post(PASSWORD, form))


def test_an_account_without_a_password_has_none_to_change(ada: Any) -> None:
    ada.set_unusable_password()
    ada.save()
    assert "sign in without a password" in texts(signed_in(ada).get(PASSWORD))


def test_strangers_have_no_password_page(db: None) -> None:
    assert Client().get(PASSWORD).status_code == 302


def test_without_single_sign_on_no_page_of_it_is_there(db: None) -> None:
    assert "Sign in with" not in texts(Client().get(IN))
    for path in (
        "/accounts/sso/",
        "/accounts/oidc/sso/login/",
        "/accounts/oidc/sso/login/callback/",
    ):
        assert Client().get(path).status_code == 404
        assert Client().post(path).status_code == 404
    for path in ("/accounts/signup/", "/accounts/email/", "/accounts/3rdparty/"):
        assert Client().get(path).status_code == 404


# --- A form older than the sign-in ---


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("path", "onward"),
    [
        *((IN, "/"), (OUT, "/"), (PASSWORD, "/"), ("/keys/new/", "/")),
        *(("/admin/login/", "/admin/"), ("/admin/keys/key/add/", "/admin/")),
    ],
)
def test_a_form_drawn_before_the_sign_in_is_told_so_in_the_members_look(
    ada: Any, settings: Any, path: str, onward: str, debug: bool
) -> None:
    settings.DEBUG = debug
    browser = Client(enforce_csrf_checks=True)
    old = {"csrfmiddlewaretoken": str(browser.get(IN).context["csrf_token"])}
    browser.post(IN, {**old, "username": "ada", "password": RIGHT})
    response = browser.post(path, old)
    assert response.status_code == 403
    page = texts(response)
    assert "This page is older than your sign-in" in page and "DEBUG" not in page
    assert "Reason given for failure" not in page
    assert f'<a class="button strong" href="{onward}">Continue</a>' in response.content.decode()
    assert response["Content-Security-Policy"]


def test_who_signs_in_in_two_tabs_finds_the_way_on(ada: Any) -> None:
    browser = Client(enforce_csrf_checks=True)
    tabs = [str(browser.get(IN).context["csrf_token"]) for _ in range(2)]
    form = {"username": "ada", "password": RIGHT}
    statuses = [browser.post(IN, {**form, "csrfmiddlewaretoken": tab}).status_code for tab in tabs]
    assert statuses == [302, 403]
    assert is_in(browser)


# --- What ends with a session -----------------------------------------------------------------


def mark_of(browser: Client) -> str:
    return session_mark(browser.cookies[settings.SESSION_COOKIE_NAME].value)


def marked() -> set[str]:
    return set(EndedSession.objects.values_list("mark", flat=True))


NEW_PASSWORD = "an-entirely-other-secret"


@pytest.mark.parametrize("path", [PASSWORD, "/admin/password_change/"])
def test_a_changed_password_ends_every_session_but_the_one_that_changed_it(
    ada: Any, path: str
) -> None:
    ada.is_staff = True
    ada.save()
    browser, elsewhere = signed_in(ada), signed_in(ada)
    old, other = mark_of(browser), mark_of(elsewhere)
    form = {
        "old_password": RIGHT,
        "new_password1": NEW_PASSWORD,
        "new_password2": NEW_PASSWORD,
    }
    assert browser.post(path, form).status_code == 302
    assert is_in(browser) and mark_of(browser) != old
    assert old in marked()
    assert not is_in(elsewhere)
    assert other in marked()
    assert mark_of(browser) not in marked()


def test_signing_out_by_either_door_marks_the_session(ada: Any) -> None:
    ada.is_staff = True
    ada.save()
    for path in (OUT, "/admin/logout/"):
        browser = signed_in(ada)
        mark = mark_of(browser)
        browser.post(path)
        assert mark in marked()


def test_signing_in_as_somebody_else_ends_the_session_before(ada: Any) -> None:
    browser = signed_in(ada)
    mark = mark_of(browser)
    browser.force_login(get_user_model().objects.create_user("bob"))
    assert mark in marked()


def test_an_account_that_is_made_inactive_is_out(ada: Any) -> None:
    browser = signed_in(ada)
    ada.is_active = False
    ada.save()
    assert not is_in(browser)
