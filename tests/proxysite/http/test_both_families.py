"""A gateway that listens on `::` serves clients of IPv4 and of IPv6, and calls each by its name."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess, running_gateway
from tests.needs import lacks
from tests.openai_api.chats import chat_body, new_id
from workers_ai.simulator.serve import RunningSimulator


@pytest.fixture(scope="module")
def everywhere(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        lacks("IPv6 is not there")
    listening = {
        "HOST": "::",
        "FORWARDED_ALLOW_IPS": "127.0.0.1,::1",
        "METRICS_ALLOWED_NETWORKS": "::ffff:127.0.0.1/128",
        "HTTPS": "on",
    }
    folder = tmp_path_factory.mktemp("everywhere")
    with (
        django_db_blocker.unblock(),
        running_gateway(folder, session_upstream, **listening) as gateway,
    ):
        yield gateway


def ask(
    gateway: GatewayProcess, key: str, host: str = "127.0.0.1", **headers: str
) -> tuple[httpx.Response, str]:
    request_id = new_id()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers |= {"authorization": f"Bearer {key}", "x-request-id": request_id}
    url = f"http://{host}:{gateway.port}/v1/chat/completions"
    return httpx.post(url, json=chat_body(), headers=headers, timeout=30), request_id


@pytest.mark.parametrize(
    ("host", "forwarded", "client_ip"),
    [
        ("127.0.0.1", {}, "127.0.0.1"),
        ("[::1]", {}, "::1"),
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.9"}, "203.0.113.9"),
        ("[::1]", {"x_forwarded_for": "203.0.113.9"}, "203.0.113.9"),
        ("127.0.0.1", {"x_forwarded_for": "::ffff:203.0.113.9"}, "203.0.113.9"),
    ],
)
def test_a_row_has_the_clients_address(
    everywhere: GatewayProcess, host: str, forwarded: dict[str, str], client_ip: str
) -> None:
    response, request_id = ask(everywhere, everywhere.issue_key(), host, **forwarded)
    assert response.status_code == 200, response.text
    assert everywhere.row(request_id).client_ip == client_ip
    everywhere.wait_until(
        lambda: f"request_id={request_id} client_ip={client_ip}" in everywhere.log, "a line"
    )


@pytest.mark.parametrize("network", ["203.0.113.0/24", "::ffff:203.0.113.0/120"])
def test_a_keys_networks_are_the_clients(everywhere: GatewayProcess, network: str) -> None:
    key = everywhere.issue_key(allowed_networks=[network])
    inside, _ = ask(everywhere, key, x_forwarded_for="203.0.113.9")
    assert inside.status_code == 200
    outside, _ = ask(everywhere, key, x_forwarded_for="198.51.100.1")
    assert_openai_error(outside, 403, code="address_not_allowed")


def test_metrics_are_for_the_networks_that_are_named(everywhere: GatewayProcess) -> None:
    ours = httpx.get(everywhere.url + "/metrics", timeout=30)
    theirs = httpx.get(f"http://[::1]:{everywhere.port}/metrics", timeout=30)
    assert (ours.status_code, theirs.status_code) == (200, 404)


@pytest.mark.parametrize("words", ["https", "https, https", "https,http"])
def test_a_page_behind_two_proxies_is_not_redirected_for_ever(
    everywhere: GatewayProcess, words: str
) -> None:
    page = everywhere.url + "/accounts/login/"
    assert httpx.get(page, headers={"x-forwarded-proto": words}).status_code == 200
    assert httpx.get(page, headers={"x-forwarded-proto": "http"}).status_code == 301
