"""What people do through each proxy: sign in, stream, send large bodies, and claim addresses."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from tests.deploy.proxies import NAME, PROXIES, Proxy, proxy, unchecked
from tests.gateway import GatewayProcess, running_gateway
from tests.openai_api.chats import chat_body
from workers_ai.simulator.serve import RunningSimulator


@dataclass
class Behind:
    gateway: GatewayProcess
    proxy: Proxy

    @property
    def site(self) -> str:
        """As a browser names it, on the usual port."""
        return f"http{'s' * self.proxy.is_https}://{NAME}"

    def client(self, **options: Any) -> httpx.Client:
        scheme = "https" if self.proxy.is_https else "http"
        return httpx.Client(
            base_url=f"{scheme}://127.0.0.1:{self.proxy.port}{self.proxy.path}",
            headers={"Host": NAME, **options.pop("headers", {})},
            verify=unchecked(),
            timeout=30,
            **options,
        )

    def is_ready(self) -> bool:
        with self.client() as http, suppress(httpx.TransportError):
            return self.ask(http, "GET", "/readyz").status_code == 200
        return False

    def ask(self, http: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
        # The name in the TLS greeting, which chooses the site.
        return http.request(method, path, extensions={"sni_hostname": NAME}, **options)


@pytest.fixture(scope="module")
def gateways(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[Callable[..., GatewayProcess]]:
    """One of each kind, for all proxies that need no other."""
    running: dict[frozenset[tuple[str, str]], GatewayProcess] = {}
    with ExitStack() as stack, django_db_blocker.unblock():

        def with_settings(**told: str) -> GatewayProcess:
            kind = frozenset(told.items())
            if kind not in running:
                folder = tmp_path_factory.mktemp("gateway")
                told |= {"ALLOWED_HOSTS": NAME, "FORWARDED_ALLOW_IPS": "127.0.0.1"}
                gateway = stack.enter_context(running_gateway(folder, session_upstream, **told))
                gateway.database(make_member)
                running[kind] = gateway
            return running[kind]

        yield with_settings


def make_member() -> None:
    password = make_password("passes", hasher="pbkdf2_sha256")
    get_user_model().objects.create(username="member", password=password)


@pytest.fixture(scope="module", params=sorted(PROXIES))
def started(
    request: pytest.FixtureRequest,
    gateways: Callable[..., GatewayProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Behind]:
    told = {"HTTPS": "on"}
    if "below" in request.param:
        told = {"HTTPS": "off", "URL_PREFIX": "/ai"}
    elif "without" in request.param:
        told = {"HTTPS": "off"}
    gateway = gateways(**told)
    with proxy(request.param, tmp_path_factory.mktemp("proxy"), gateway.port) as running:
        behind = Behind(gateway, running)
        gateway.wait_until(behind.is_ready, "the proxy knows its gateway")
        yield behind


@pytest.fixture
def behind(started: Behind, upstream: RunningSimulator, django_db_blocker: Any) -> Iterator[Behind]:
    with django_db_blocker.unblock():
        yield started


def test_people_sign_in(behind: Behind) -> None:
    prefix = behind.proxy.path
    with behind.client() as http:
        sent = behind.ask(http, "GET", "/")
        assert sent.headers["location"] == f"{prefix}/accounts/login/?next={prefix}/"
        form = behind.ask(http, "GET", "/accounts/login/")
        assert form.status_code == 200
        cookie = form.headers["set-cookie"]
        assert ("Secure" in cookie) == behind.proxy.is_https
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)[0]
        signed_in = behind.ask(
            http,
            "POST",
            "/accounts/login/",
            data={"csrfmiddlewaretoken": token, "username": "member", "password": "passes"},
            headers={
                "Cookie": cookie.partition(";")[0],
                "Origin": behind.site,
                "Referer": f"{behind.site}{prefix}/accounts/login/",
            },
        )
        assert signed_in.status_code == 302, signed_in.text
        assert signed_in.headers["location"] == f"{prefix}/"
        cookies = signed_in.headers.get_list("set-cookie")
        session = "; ".join(each.partition(";")[0] for each in cookies)
        home = behind.ask(http, "GET", "/", headers={"Cookie": session})
        assert home.status_code == 200 and "member" in home.text


def test_pages_name_the_address_that_was_asked_for(behind: Behind) -> None:
    user = behind.gateway.database(lambda: get_user_model().objects.get(username="member"))
    key, _ = behind.gateway.issue("mine", owner="member")
    session = behind.gateway.session_of(user)
    with behind.client() as http:
        page = behind.ask(
            http, "GET", f"/keys/{key.pk}/", headers={"Cookie": f"gateway_session={session}"}
        )
    assert f"{behind.site}{behind.proxy.path}/v1" in page.text


def test_streams_leave_as_they_come(behind: Behind) -> None:
    key = behind.gateway.issue_key()
    body = chat_body("30 words [simulate stall after=3]", stream=True)
    events = 0
    with (
        behind.client(headers={"x-api-key": key}) as http,
        http.stream(
            "POST", "/v1/chat/completions", json=body, extensions={"sni_hostname": NAME}
        ) as response,
    ):
        assert response.status_code == 200
        # Upstream is silent from here on: what arrives was not held back for more to come.
        for line in response.iter_lines():
            events += line.startswith("data:")
            if events == 2:
                break
    assert events == 2


def test_bodies_are_the_gateways_to_refuse(behind: Behind) -> None:
    key = behind.gateway.issue_key()
    with behind.client(headers={"x-api-key": key}) as http:
        for size, status in ((4 * 2**20, 400), (33 * 2**20, 413)):
            answer = behind.ask(http, "POST", "/v1/chat/completions", content=b" " * size)
            assert answer.status_code == status
            assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("claim", ["10.9.9.9", "10.9.9.9, 127.0.0.1", "10.9.9.9, 192.168.1.7"])
def test_nobody_chooses_an_address(behind: Behind, claim: str) -> None:
    tens = behind.gateway.issue_key(allowed_networks=["10.0.0.0/8"])
    here = behind.gateway.issue_key(allowed_networks=["127.0.0.0/8"])
    with behind.client(headers={"X-Forwarded-For": claim}) as http:
        for key, status in ((tens, 403), (here, 200)):
            answer = behind.ask(
                http,
                "POST",
                "/v1/chat/completions",
                json=chat_body("hello"),
                headers={"x-api-key": key},
            )
            assert answer.status_code == status, answer.text


def test_plain_http_leads_to_https(behind: Behind) -> None:
    if behind.proxy.http_port is None:
        return
    answer = httpx.get(
        f"http://127.0.0.1:{behind.proxy.http_port}/v1/models?x=1", headers={"Host": NAME}
    )
    assert answer.status_code == 301
    assert answer.headers["location"] == f"https://{NAME}/v1/models?x=1"
