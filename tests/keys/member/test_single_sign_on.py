"""Single sign-on over HTTP: a gateway that is configured for it, and a provider on loopback."""

import html
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model

from tests.gateway import GatewayProcess, running_gateway
from tests.keys.member.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    OpenIdProvider,
    openid_provider,
)
from workers_ai.simulator.serve import RunningSimulator

IN, START, BACK = "/accounts/login/", "/accounts/sso/", "/accounts/sso/callback/"


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    with openid_provider() as running:
        yield running


@pytest.fixture(scope="module")
def site(
    provider: OpenIdProvider,
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    told = {
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_NAME": "Example & Co",
        "OIDC_EMAIL_DOMAINS": "Example.com,example.org",
    }
    folder = tmp_path_factory.mktemp("single-sign-on")
    with (
        django_db_blocker.unblock(),
        running_gateway(folder, session_upstream, refresh=False, **told) as gateway,
    ):
        yield gateway


@pytest.fixture
def browser(site: GatewayProcess, django_db_blocker: Any) -> Iterator[httpx.Client]:
    with (
        django_db_blocker.unblock(),
        httpx.Client(base_url=site.url, timeout=30, follow_redirects=True) as http,
    ):
        yield http


@pytest.fixture
def person(provider: OpenIdProvider) -> dict[str, Any]:
    """Somebody whom neither the provider nor the gateway has seen."""
    name = f"p{uuid.uuid4().hex[:10]}"
    provider.is_down = False
    provider.person = {
        "sub": name,
        "preferred_username": name,
        "email": f"{name}@example.com",
        "email_verified": True,
    }
    return provider.person


Account = Callable[..., Any]


@pytest.fixture
def account(site: GatewayProcess) -> Account:
    """Makes an account at the gateway; its id."""

    def make(name: str, **fields: Any) -> int:
        users = get_user_model().objects
        return int(site.database(lambda: users.create_user(name, **fields)).pk)

    return make


def begin(http: httpx.Client, next_page: str = "") -> httpx.Response:
    http.get(IN)
    form = {"csrfmiddlewaretoken": http.cookies[settings.CSRF_COOKIE_NAME], "next": next_page}
    return http.post(START, data=form)


def sign_in(http: httpx.Client, next_page: str = "") -> httpx.Response:
    onward = begin(http, next_page)
    assert onward.status_code == 200, onward.text
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', onward.text)
    assert found, onward.text
    return http.get(html.unescape(found[1]))


def name_in(response: httpx.Response) -> str | None:
    found = re.search(r'<span class="name">([^<]*)<', response.text)
    return found[1] if found else None


def test_somebody_new_gets_an_account_without_a_password(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any]
) -> None:
    assert "Sign in with Example &amp; Co" in browser.get(IN).text
    page = sign_in(browser, "/usage/")
    assert (page.url.path, name_in(page)) == ("/usage/", person["sub"])
    user = site.database(lambda: get_user_model().objects.get(username=person["sub"]))
    assert not user.has_usable_password() and not user.is_staff
    assert user.email == person["email"]


def test_who_comes_again_is_the_same(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any]
) -> None:
    sign_in(browser)
    browser.cookies.clear()
    person["preferred_username"], person["email"] = "renamed", "renamed@example.org"
    assert name_in(sign_in(browser)) == person["sub"]


def test_a_verified_address_leads_to_the_account_that_has_it(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any], account: Account
) -> None:
    name = f"had-{person['sub']}"
    account(name, email=person["email"].upper(), password="a-password-that-stays")
    assert name_in(sign_in(browser)) == name
    user = site.database(lambda: get_user_model().objects.get(username=name))
    assert user.check_password("a-password-that-stays")


@pytest.mark.parametrize("verified", [False, "false", None])
def test_an_address_that_is_not_verified_does_not(
    browser: httpx.Client, person: dict[str, Any], account: Account, verified: Any
) -> None:
    account(f"had-{person['sub']}", email=person["email"])
    person["email_verified"] = verified
    page = sign_in(browser)
    assert page.url.path == IN and name_in(page) is None
    assert "An account here has your address already" in page.text


def test_an_account_with_the_same_name_stays_whose_it_is(
    browser: httpx.Client, person: dict[str, Any], account: Account
) -> None:
    account(person["sub"])
    name = name_in(sign_in(browser))
    assert name is not None and name != person["sub"]


def test_other_domains_stay_out(browser: httpx.Client, person: dict[str, Any]) -> None:
    for address in ("x@example.net", "x@sub.example.com", "", None, ["x@example.com"]):
        person["email"] = address
        page = sign_in(browser)
        assert page.url.path == IN and "may not use this gateway" in page.text


def test_an_account_that_is_not_active_stays_out(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any], account: Account
) -> None:
    account(f"had-{person['sub']}", email=person["email"], is_active=False)
    page = sign_in(browser)
    assert name_in(page) is None and "may not use this gateway" in page.text


def test_a_provider_that_is_down_is_told_and_passwords_go_on(
    browser: httpx.Client, provider: OpenIdProvider, person: dict[str, Any]
) -> None:
    provider.is_down = True
    page = begin(browser)
    assert page.status_code == 200 and page.url.path == IN
    assert "Signing in with Example &amp; Co failed" in page.text


def test_an_answer_without_a_subject_is_a_failure_and_no_crash(
    browser: httpx.Client, person: dict[str, Any]
) -> None:
    del person["sub"]
    page = sign_in(browser)
    assert (page.status_code, page.url.path) == (200, IN)
    assert "failed" in page.text


@pytest.mark.parametrize(
    "query", ["", "?code=x", "?code=x&state=y", "?error=access_denied", "?%00"]
)
def test_a_made_up_way_back_signs_nobody_in(browser: httpx.Client, query: str) -> None:
    page = browser.get(BACK + query)
    assert (page.status_code, page.url.path) == (200, IN)
    assert name_in(page) is None


def test_a_way_back_is_good_in_one_browser_only(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any]
) -> None:
    found = re.search(r"0;url=([^\"]+)", begin(browser).text)
    assert found
    back = httpx.get(html.unescape(found[1])).headers["location"]
    with httpx.Client(follow_redirects=True) as other:
        assert name_in(other.get(back)) is None


def test_it_begins_with_a_form_of_the_gateways_own(browser: httpx.Client) -> None:
    assert browser.get(START).status_code == 405
    assert browser.post(START).status_code == 403


def test_nothing_else_of_allauth_is_there(browser: httpx.Client) -> None:
    paths = ("signup/", "email/", "3rdparty/", "password/reset/", "inactive/", "oidc/sso/login/")
    assert {browser.get(f"/accounts/{path}").status_code for path in paths} == {404}
