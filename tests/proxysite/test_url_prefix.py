"""Below a path of another site's host name, whether the proxy takes that path away or leaves it."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.urls import get_resolver

from openai_api.urls import FIRST_SEGMENTS
from proxysite.settings import OWN_SEGMENTS
from tests.gateway import GatewayProcess, running_gateway
from tests.keys.member.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    openid_provider,
)
from tests.openai_api.chats import chat_body
from workers_ai.simulator.serve import RunningSimulator

PREFIX = "/tools/ai"


@pytest.fixture(scope="module")
def started(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("prefix")
    with openid_provider() as provider, django_db_blocker.unblock():
        told = {
            "URL_PREFIX": PREFIX,
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        }
        with running_gateway(folder, session_upstream, **told) as gateway:
            gateway.database(make_operator)
            yield gateway


def make_operator() -> None:
    get_user_model().objects.create(
        username="operator",
        # Of the kind that the gateway knows.
        password=make_password("passes", hasher="pbkdf2_sha256"),
        is_staff=True,
        is_superuser=True,
    )


@pytest.fixture
def below(
    started: GatewayProcess, upstream: RunningSimulator, django_db_blocker: Any
) -> Iterator[GatewayProcess]:
    with django_db_blocker.unblock():
        yield started


@pytest.fixture(scope="module", params=["taken away", "left"])
def base_url(request: pytest.FixtureRequest, started: GatewayProcess) -> str:
    """Where a proxy that takes the prefix away leads to, and one that leaves it."""
    return started.url if request.param == "taken away" else started.url + PREFIX


def behind(base_url: str, path: str) -> str:
    """The gateway's own address of a path that a browser saw."""
    assert path.startswith(PREFIX + "/"), path
    return base_url + path.removeprefix(PREFIX)


@pytest.fixture(scope="module")
def browser(base_url: str) -> Iterator[httpx.Client]:
    """Signed in, once each way: a gateway's own hashes are dear."""
    with httpx.Client(timeout=20) as http:
        sent = http.get(base_url + "/")
        assert sent.headers["location"] == f"{PREFIX}/accounts/login/?next={PREFIX}/"
        form = http.get(behind(base_url, sent.headers["location"]))
        cookie = form.headers["set-cookie"]
        assert f"Path={PREFIX}/" in cookie
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)[0]
        name, _, value = cookie.partition(";")[0].partition("=")
        fields = {"csrfmiddlewaretoken": token, "username": "operator", "password": "passes"}
        answer = http.post(
            base_url + f"/accounts/login/?next={PREFIX}/usage/",
            data=fields,
            headers={"cookie": f"{name}={value}"},
        )
        assert answer.status_code == 302, answer.text
        assert answer.headers["location"] == f"{PREFIX}/usage/"
        cookies = answer.headers.get_list("set-cookie")
        assert all(f"Path={PREFIX}/" in each for each in cookies)
        http.headers["cookie"] = "; ".join(each.partition(";")[0] for each in cookies)
        yield http


PAGES = ("/", "/usage/", "/requests/", "/playground/", "/keys/new/", "/accounts/password/")
PAGES += ("/admin/", "/admin/keys/key/", "/admin/keys/key/add/", "/admin/keys/requestlog/")
PAGES += ("/admin/catalog/catalogmodel/", "/admin/auth/user/")
FOR_STRANGERS = ("/accounts/login/", "/admin/login/", "/nowhere/")


def test_every_address_in_a_page_is_below_the_prefix(browser: httpx.Client, base_url: str) -> None:
    seen = set()
    for path in PAGES:
        page = browser.get(base_url + path)
        assert page.status_code == 200, path
        addresses = addresses_in(page.text)
        assert len(addresses) > 5
        seen |= {address for address in addresses if not address.startswith(PREFIX + "/")}
    with httpx.Client(timeout=20) as stranger:
        for path in FOR_STRANGERS:
            page = stranger.get(base_url + path)
            seen |= {each for each in addresses_in(page.text) if not each.startswith(PREFIX + "/")}
    assert seen == set()


def addresses_in(page: str) -> list[str]:
    return re.findall(r"""(?:href|src|action|data-[\w-]+-url)=["'](/[^"']*)""", page)


def test_files_of_a_page_are_there(browser: httpx.Client, base_url: str) -> None:
    page = browser.get(base_url + "/playground/").text + browser.get(base_url + "/admin/").text
    files = set(re.findall(r"""(?:href|src)=["'](/[^"']*(?:/static/|favicon)[^"']*)""", page))
    assert len(files) > 5
    for path in files:
        assert browser.get(behind(base_url, path)).status_code == 200, path


def test_the_playground_asks_below_the_prefix(browser: httpx.Client, base_url: str) -> None:
    browser.get(base_url + "/keys/new/")
    page = browser.get(base_url + "/playground/").text
    if "data-api-url" in page:
        assert f'data-api-url="{PREFIX}/v1"' in page


def test_snippets_have_the_whole_base_url(
    browser: httpx.Client, base_url: str, below: GatewayProcess
) -> None:
    key, _ = below.issue("mine", owner="operator")
    page = browser.get(base_url + f"/keys/{key.pk}/").text
    host = base_url.split("/")[2]
    assert f"http://{host}{PREFIX}/v1" in page
    assert f"http://{host}/v1" not in page


def test_single_sign_on_comes_back_below_the_prefix(base_url: str) -> None:
    with httpx.Client(timeout=20) as http:
        form = http.get(base_url + "/accounts/login/")
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)[0]
        cookie = form.headers["set-cookie"].partition(";")[0]
        started = http.post(
            base_url + "/accounts/sso/",
            data={"csrfmiddlewaretoken": token},
            headers={"cookie": cookie},
        )
    [back] = re.findall(r"redirect_uri=([^&]+)&", started.text)[:1]
    assert unquote(back).endswith(f"{PREFIX}/accounts/sso/callback/")


def test_the_api_and_probes_answer(base_url: str, below: GatewayProcess) -> None:
    headers = {"x-api-key": below.issue_key()}
    for path in ("/v1/models", "/models", "/v1/key"):
        assert httpx.get(base_url + path, headers=headers).status_code == 200, path
    answer = httpx.post(base_url + "/v1/chat/completions", json=chat_body(), headers=headers)
    assert answer.status_code == 200
    assert httpx.get(base_url + "/readyz").status_code == 200


def test_what_only_begins_like_the_prefix_is_not_below_it(below: GatewayProcess) -> None:
    headers = {"x-api-key": below.issue_key()}
    assert httpx.get(below.url + PREFIX + "x/v1/models", headers=headers).status_code == 404
    home = httpx.get(below.url + PREFIX)
    assert home.headers["location"].startswith(f"{PREFIX}/accounts/login/")


def test_no_prefix_can_hide_a_path_of_the_gateway() -> None:
    roots = {str(pattern.pattern).split("/")[0] for pattern in get_resolver().url_patterns}
    assert roots | FIRST_SEGMENTS <= OWN_SEGMENTS | {""}
    included = next(each for each in get_resolver().url_patterns if str(each.pattern) == "")
    pages = {str(pattern.pattern).split("/")[0] for pattern in included.url_patterns}
    assert pages <= OWN_SEGMENTS | {""}
