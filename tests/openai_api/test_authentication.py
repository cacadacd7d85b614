"""Who is let in, and what everybody else is told."""

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess


def get(gateway: GatewayProcess, path: str = "/v1/models", **headers: str) -> httpx.Response:
    return httpx.get(gateway.url + path, headers=headers)


def test_a_key_works_the_moment_it_is_issued(gateway: GatewayProcess) -> None:
    key = gateway.issue_key()
    assert get(gateway, authorization=f"Bearer {key}").status_code == 200


def test_x_api_key_is_as_good_as_authorization(gateway: GatewayProcess, key: str) -> None:
    response = httpx.get(gateway.url + "/v1/models", headers={"x-api-key": key})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer sk-wrong"},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"authorization": "Bearer a,b"},
        {"x-api-key": ""},
        {"authorization": "Bearer " + "x" * 4000},
    ],
)
def test_no_valid_key_is_401_with_a_challenge(
    gateway: GatewayProcess, headers: dict[str, str]
) -> None:
    response = get(gateway, **headers)
    assert_openai_error(response, 401, code="invalid_api_key")
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/v1/chat/completions"])
def test_a_key_that_ended_is_not_worth_another_try(gateway: GatewayProcess, path: str) -> None:
    """Claude Code asks again for three minutes before it shows a 401 that does not say so."""
    record, key = gateway.issue("ended")
    gateway.database(record.revoke)
    headers = {"authorization": f"Bearer {key}"}
    gateway.wait_until(
        lambda: get(gateway, **headers).status_code == 401, "the key is no longer let in"
    )
    response = httpx.post(gateway.url + path, headers=headers, json={})
    assert response.status_code == 401
    assert "revoked" in response.json()["error"]["message"]
    assert response.headers["x-should-retry"] == "false"


def test_a_refused_key_is_not_echoed(gateway: GatewayProcess) -> None:
    secret = "sk-wai-" + "Q" * 49
    response = get(gateway, authorization=f"Bearer {secret}")
    assert response.status_code == 401
    assert secret not in response.text
    assert "QQQQ" not in gateway.log
