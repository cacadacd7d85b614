"""`GET /v1/key`: what a key's holder may know of it."""

import httpx
import pytest

from tests.gateway import GatewayProcess
from tests.openai_api.chats import chat_body


def facts(gateway: GatewayProcess, key: str, query: str = "") -> dict[str, object]:
    response = httpx.get(
        gateway.url + "/v1/key" + query, headers={"authorization": f"Bearer {key}"}
    )
    assert response.status_code == 200, response.text
    assert key not in response.text
    data: dict[str, object] = response.json()["data"]
    return data


def test_a_key_tells_its_label_and_limits(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(
        "laptop", requests_per_minute=9, allowed_models=["@cf/meta/*"], allowed_endpoints=["chat"]
    )
    told = facts(gateway, key)
    assert told["label"] == "laptop"
    assert told["rate_limit"] == {"requests": 9, "interval": "1m"}
    assert told["allowed_models"] == ["@cf/meta/*"]
    assert told["allowed_endpoints"] == ["chat"]
    assert told["expires_at"] is None


def test_usage_moves_with_each_request(gateway: GatewayProcess) -> None:
    key = gateway.issue_key()
    assert facts(gateway, key)["usage"] == 0
    httpx.post(
        gateway.url + "/v1/chat/completions",
        json=chat_body("300 words"),
        headers={"authorization": f"Bearer {key}"},
    )
    told = facts(gateway, key)
    assert isinstance(told["usage"], float)
    assert told["usage"] > 0
    assert told["usage_daily"] == told["usage_monthly"] == told["usage"]


def test_a_key_tells_what_a_session_cost(gateway: GatewayProcess) -> None:
    key, other = gateway.issue_key(), gateway.issue_key()
    costs = []
    for text, of in ((key, "run 1"), (key, "run 1"), (key, "run 2"), (other, "run 1")):
        headers = {"authorization": f"Bearer {text}", "x-session-id": of}
        answer = httpx.post(gateway.url + "/v1/chat/completions", json=chat_body(), headers=headers)
        costs.append(answer.json()["usage"]["cost"])
    told = facts(gateway, key, "?session=run+1")["session"]
    assert isinstance(told, dict)
    assert (told["requests"], told["failed"], told["is_whole"]) == (2, 0, True)
    assert told["cost"] == pytest.approx(costs[0] + costs[1])
    assert told["tokens"]["prompt"] > told["tokens"]["cached"]
    assert facts(gateway, key, "?session=none")["session"] is None
    assert "session" not in facts(gateway, key)
