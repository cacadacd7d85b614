"""Browser apps: who may call from a page, and what a page may read."""

import httpx
import pytest

from proxysite.cors import cors_headers, preflight_headers
from tests.gateway import GatewayProcess
from tests.openai_api.conftest import PAGE

OTHER = "https://evil.example.com"
ASKED = "authorization,content-type,x-stainless-arch,x-stainless-made-up-tomorrow"


def preflight(
    gateway: GatewayProcess, origin: str, path: str = "/v1/chat/completions"
) -> httpx.Response:
    return httpx.options(
        gateway.url + path,
        headers={
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": ASKED,
        },
    )


def test_a_preflight_needs_no_key_and_echoes_the_headers(tuned_gateway: GatewayProcess) -> None:
    response = preflight(tuned_gateway, PAGE)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == PAGE
    assert response.headers["access-control-allow-headers"] == ASKED
    assert "POST" in response.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in response.headers


def test_a_page_may_read_the_headers_that_clients_need(
    tuned_client: httpx.Client,
) -> None:
    response = tuned_client.get("/models", headers={"origin": PAGE})
    assert response.headers["access-control-allow-origin"] == PAGE
    exposed = response.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "retry-after", "x-ratelimit-remaining-requests"} <= set(exposed)


def test_a_page_may_read_errors_too(tuned_gateway: GatewayProcess) -> None:
    response = httpx.get(tuned_gateway.url + "/v1/models", headers={"origin": PAGE})
    assert response.status_code == 401
    assert response.headers["access-control-allow-origin"] == PAGE


def test_a_page_may_read_streams(tuned_client: httpx.Client) -> None:
    body = {"model": "@cf/meta/llama-3-8b-instruct", "stream": True}
    messages = [{"role": "user", "content": "hi"}]
    response = tuned_client.post(
        "/chat/completions", json={**body, "messages": messages}, headers={"origin": PAGE}
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["access-control-allow-origin"] == PAGE


def test_another_page_is_allowed_nothing(tuned_gateway: GatewayProcess) -> None:
    for response in (
        preflight(tuned_gateway, OTHER),
        httpx.get(tuned_gateway.url + "/v1/models", headers={"origin": OTHER}),
    ):
        allowed = [name for name in response.headers if name.startswith("access-control-")]
        assert allowed == []
        assert response.headers["vary"] == "Origin"


def test_without_a_setting_no_page_is_allowed(gateway: GatewayProcess) -> None:
    response = preflight(gateway, PAGE)
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("origin", [b"https://one.example.com", None])
def test_a_star_allows_everybody_without_credentials(origin: bytes | None) -> None:
    headers = dict(cors_headers(origin, ["*"]))
    assert headers[b"access-control-allow-origin"] == b"*"
    assert b"access-control-allow-credentials" not in headers


def test_a_star_preflight_echoes_the_headers() -> None:
    headers = dict(preflight_headers(b"https://one.example.com", b"x-new", ["*"]))
    assert headers[b"access-control-allow-headers"] == b"x-new"


def test_an_origin_that_only_begins_alike_is_another() -> None:
    headers = dict(cors_headers(PAGE.encode() + b".evil.com", [PAGE]))
    assert b"access-control-allow-origin" not in headers
