"""What operators decide about the Cloudflare account, or several: who may use its last neurons."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess, running_gateway
from tests.openai_api.chats import chat_body, post
from workers_ai.simulator.serve import RunningSimulator

FREE, RESERVED = 400, 300


@pytest.fixture(scope="module")
def module_gateway(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    with (
        django_db_blocker.unblock(),
        running_gateway(
            tmp_path_factory.mktemp("accounts"),
            session_upstream,
            FREE_DAILY_NEURONS=str(FREE),
            RESERVED_NEURONS=str(RESERVED),
        ) as gateway,
    ):
        yield gateway


@pytest.fixture
def accounts(
    module_gateway: GatewayProcess, upstream: RunningSimulator, django_db_blocker: Any
) -> Iterator[GatewayProcess]:
    with django_db_blocker.unblock():
        yield module_gateway


def client_of(gateway: GatewayProcess, secret: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.Client(base_url=gateway.url + "/v1", headers=headers, timeout=30)


def test_the_last_neurons_of_the_day_are_for_chosen_keys(accounts: GatewayProcess) -> None:
    usual, chosen = accounts.issue("usual")[1], accounts.issue("chosen", uses_reserve=True)[1]
    # Each sets aside more than it uses.
    body = chat_body("90 words", max_tokens=200)
    with client_of(accounts, usual) as client, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: post(client, body), range(60)))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert refused
        assert len(refused) < len(answers)
        used = sum(row.neurons_micro or 0 for row in accounts.rows(status=200))
        assert used <= (FREE - RESERVED) * 10**6
        assert_openai_error(
            refused[0],
            429,
            code="insufficient_quota",
            says="all API keys but those that the day's last 300 free neurons are reserved for",
        )
        midnight_s = 86_400 - datetime.now(UTC).timestamp() % 86_400
        assert abs(int(refused[0].headers["retry-after"]) - midnight_s) < 30
        told = client.get("/key").json()["data"]["limits"]
        assert any("reserved" in limit["holder"] and limit["amount"] == 100 for limit in told)
    with client_of(accounts, chosen) as client:
        assert post(client, chat_body("90 words", max_tokens=2000)).status_code == 200
