"""`GET /v1/key/usage`: what a key used over time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import LEGACY, OPENAI, chat_body


def asked(gateway: GatewayProcess, key: str, query: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.get(f"{gateway.url}/v1/key/usage{query}", headers=headers)


def test_days_models_and_endpoints_have_the_same_sums(gateway: GatewayProcess) -> None:
    _, text = gateway.issue("history", "history")
    headers = {"authorization": f"Bearer {text}"}
    cost = 0.0
    for model in (OPENAI, OPENAI, LEGACY):
        body = chat_body(model=model)
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers)
        cost += answer.json()["usage"]["cost"]
    httpx.post(f"{gateway.url}/v1/chat/completions", json={"model": OPENAI}, headers=headers)

    today = datetime.now(UTC).date()
    told: dict[str, Any] = asked(gateway, text).json()
    assert [line["day"] for line in told["data"]] == [today.isoformat()]
    assert told["total"]["requests"] == 4
    assert told["total"]["failed"] == 1
    assert told["total"]["cost"] == pytest.approx(cost)
    since = f"?since={today - timedelta(days=60)}"
    whole = {
        by: asked(gateway, text, f"{since}&by={by}").json() for by in ("day", "model", "endpoint")
    }
    assert len({str(one["total"]) for one in whole.values()}) == 1
    assert whole["day"]["total"]["cost"] == pytest.approx(cost)
    assert {line["model"] for line in whole["model"]["data"]} >= {OPENAI, LEGACY}
    assert [line["endpoint"] for line in whole["endpoint"]["data"]] == ["chat"]
    assert sum(line["cost"] for line in whole["model"]["data"]) == pytest.approx(cost)
    before = asked(gateway, text, f"?since={today - timedelta(9)}&until={today - timedelta(2)}")
    assert before.json()["data"] == []
    other = asked(gateway, gateway.issue_key(), since).json()
    assert (other["data"], other["total"]["requests"]) == ([], 0)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("?since=yesterday", "since"),
        ("?until=2026-13-01", "until"),
        ("?by=key", "by"),
        ("?since=2026-02-01&until=2026-01-01", "since"),
        ("?since=2020-01-01&until=2026-01-01", "since"),
    ],
)
def test_what_cannot_be_asked_is_named(gateway: GatewayProcess, query: str, param: str) -> None:
    refused = asked(gateway, gateway.issue_key(), query)
    assert_openai_error(refused, 400, param=param)


def test_it_needs_a_key(gateway: GatewayProcess) -> None:
    assert httpx.get(f"{gateway.url}/v1/key/usage").status_code == 401
