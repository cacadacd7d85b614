"""An answer whose row cannot be committed: it waits for LEDGER_TIMEOUT, and then says so."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.gateway import GatewayProcess
from tests.openai_api.chats import chat_body, new_id


@dataclass
class Locked:
    """A gateway whose SQLite file somebody has locked."""

    gateway: GatewayProcess
    key: str
    lock: sqlite3.Connection

    def unlock(self) -> None:
        self.lock.execute("ROLLBACK")


@pytest.fixture
def locked(start_gateway: Callable[..., GatewayProcess]) -> Iterator[Locked]:
    gateway = start_gateway(LEDGER_TIMEOUT="1")
    key = gateway.issue_key()
    assert httpx.get(gateway.url + "/v1/models", headers={"x-api-key": key}).status_code == 200
    path = gateway.database_url.removeprefix("sqlite:///")
    lock = sqlite3.connect(path, isolation_level=None, timeout=10)
    lock.execute("BEGIN IMMEDIATE")
    yield Locked(gateway, key, lock)
    lock.close()


def test_it_gets_503_that_asks_for_no_second_payment_and_its_row_comes_later(
    locked: Locked,
) -> None:
    gateway, whole = locked.gateway, new_id()
    headers = {"x-api-key": locked.key}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=30) as http:
        answer = http.post(
            "/v1/chat/completions", json=chat_body("hello"), headers={"x-request-id": whole}
        )
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["code"] == "ledger_unavailable"
        assert answer.headers["x-should-retry"] == "false"
        # From then on nothing is begun that could not be finished.
        refused = http.post("/v1/chat/completions", json=chat_body("hello"))
        assert refused.status_code == 503 and "retry-after" in refused.headers
        locked.unlock()
        row = gateway.row(whole)
        assert row.cost_nano_usd and row.completion_tokens

        def is_admitted() -> bool:
            again = http.post("/v1/chat/completions", json=chat_body("hello"))
            return again.status_code == 200

        gateway.wait_until(is_admitted, "requests are admitted again")


def test_a_stream_ends_with_an_error_and_no_done(locked: Locked) -> None:
    gateway = locked.gateway
    headers = {"x-api-key": locked.key, "x-request-id": new_id()}
    body = chat_body("3 words", stream=True)
    with httpx.stream(
        "POST", gateway.url + "/v1/chat/completions", json=body, headers=headers, timeout=30
    ) as stream:
        lines = [line for line in stream.iter_lines() if line.startswith("data:")]
    assert "data: [DONE]" not in lines
    assert json.loads(lines[-1].removeprefix("data:"))["error"]["code"] == "ledger_unavailable"
    locked.unlock()
    assert gateway.row(headers["x-request-id"]).completion_tokens
    assert "Traceback" not in gateway.log
