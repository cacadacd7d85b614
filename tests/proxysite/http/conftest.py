"""A gateway whose patience with clients is short."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway import GatewayProcess, running_gateway
from workers_ai.simulator.serve import RunningSimulator


@pytest.fixture(scope="session")
def session_hasty_gateway(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("hasty-gateway")
    seconds = {
        "REQUEST_HEAD_TIMEOUT": "1",
        "REQUEST_BODY_TIMEOUT": "1",
        "IDLE_CONNECTION_TIMEOUT": "1",
        "RESPONSE_WRITE_TIMEOUT": "1",
    }
    with (
        django_db_blocker.unblock(),
        running_gateway(folder, session_upstream, **seconds) as gateway,
    ):
        yield gateway


@pytest.fixture
def hasty_gateway(
    session_hasty_gateway: GatewayProcess, upstream: RunningSimulator, django_db_blocker: Any
) -> Iterator[GatewayProcess]:
    with django_db_blocker.unblock():
        yield session_hasty_gateway
