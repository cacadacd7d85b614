"""A second gateway, whose settings differ from their defaults, for tests of those settings."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.gateway import GatewayProcess, running_gateway
from workers_ai.simulator.serve import RunningSimulator

PAGE = "https://chat.example.com"
STATIC_KEY = "a-shared-key-of-the-whole-team"


@pytest.fixture(scope="session")
def session_tuned_gateway(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("tuned-gateway")
    with (
        django_db_blocker.unblock(),
        running_gateway(
            folder,
            session_upstream,
            KEEPALIVE_INTERVAL="0.2",
            CORS_ALLOWED_ORIGINS=PAGE,
            DEFAULT_IMAGE_MODEL="@cf/leonardo/phoenix-1.0",
            DEFAULT_IMAGE_SIZE="512x256",
            MAX_IMAGE_COUNT="2",
            USAGE_COST="off",
            PROXY_API_KEY=STATIC_KEY,
            UPSTREAM_FIRST_BYTE_TIMEOUT="3",
            UPSTREAM_IDLE_TIMEOUT="2",
            UPSTREAM_RETRIES="1",
            ACCOUNT_QUEUE_WAIT="3",
            # Of models that only the tests of turns ask.
            ACCOUNT_RATES="@cf/google/*=1,@cf/moonshotai/kimi-k2.5=1,@cf/nvidia/*=1",
            LOG_FORMAT="json",
            METRICS_ALLOWED_NETWORKS="127.0.0.0/8",
        ) as gateway,
    ):
        yield gateway


@pytest.fixture
def tuned_gateway(
    session_tuned_gateway: GatewayProcess, upstream: RunningSimulator, django_db_blocker: Any
) -> Iterator[GatewayProcess]:
    with django_db_blocker.unblock():
        yield session_tuned_gateway


@pytest.fixture
def tuned_client(tuned_gateway: GatewayProcess) -> Iterator[httpx.Client]:
    """An HTTP client of the tuned gateway with its static key."""
    with httpx.Client(
        base_url=tuned_gateway.url + "/v1",
        headers={"authorization": f"Bearer {STATIC_KEY}"},
        timeout=30,
    ) as http:
        yield http
