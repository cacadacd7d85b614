"""The pages' cookies do not touch those of another site on the same host name."""

import uuid
from collections.abc import Iterator
from http.cookies import SimpleCookie

import httpx
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.messages import constants
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse

from proxysite.messages import Messages
from tests.gateway import GatewayProcess

PASSWORD = "correct horse battery staple"


def cookie_names(responses: list[httpx.Response]) -> Iterator[str]:
    for response in responses:
        for line in response.headers.get_list("set-cookie"):
            yield from SimpleCookie(line)


def test_every_cookie_of_the_pages_has_a_name_of_the_gateways_own(gateway: GatewayProcess) -> None:
    name = f"cookies-{uuid.uuid4().hex[:8]}"

    def make_operator() -> None:
        user = get_user_model()(username=name, is_staff=True, is_superuser=True)
        user.password = make_password(PASSWORD, hasher="pbkdf2_sha256")
        user.save()

    gateway.database(make_operator)
    seen = []
    for door in ("/accounts/login/", "/admin/login/"):
        with httpx.Client(base_url=gateway.url, timeout=30) as browser:
            # What other Django sites on this host name have left, which must stay as it is.
            theirs = {"sessionid": "theirs", "csrftoken": "theirs", "messages": "theirs"}
            browser.cookies.update(theirs)
            seen.append(browser.get(door))
            token = browser.cookies["gateway_csrf"]
            form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token}
            seen.append(browser.post(door, data=form))
            assert seen[-1].status_code == 302, seen[-1].text
            seen.append(browser.get("/admin/"))
            form = {"csrfmiddlewaretoken": browser.cookies["gateway_csrf"]}
            seen.append(browser.post("/admin/logout/", data=form))
            assert {name: browser.cookies[name] for name in theirs} == theirs
    assert set(cookie_names(seen)) == {"gateway_session", "gateway_csrf"}


def test_messages_wait_under_a_name_of_the_gateways_own() -> None:
    request, response = HttpRequest(), HttpResponse()
    request.session = SessionStore()
    messages = Messages(request)
    messages.add(constants.INFO, "Saved.")
    messages.update(response)
    assert list(response.cookies) == ["gateway_messages"]
    assert settings.MESSAGE_STORAGE == "proxysite.messages.Messages"
