"""A gateway with few files: nobody takes them from the others, and the log says what is short."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import GatewayProcess, running_gateway
from tests.needs import program
from tests.openai_api.chats import chat_body
from tests.proxysite.http.raw_client import connected
from workers_ai.simulator.serve import RunningSimulator

FILES = 300


@pytest.fixture(scope="module")
def scarce(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    """A gateway whose worker may have 300 files open, and is told of 100."""
    folder = tmp_path_factory.mktemp("scarce")
    few = (program("prlimit"), f"--nofile=100:{FILES}")
    with (
        django_db_blocker.unblock(),
        running_gateway(folder, session_upstream, through=few) as gateway,
    ):
        yield gateway


def test_the_limit_is_raised_as_far_as_it_goes(scarce: GatewayProcess) -> None:
    for pid in scarce.worker_pids:
        limits = Path(f"/proc/{pid}/limits").read_text()
        found = re.search(r"^Max open files +(\d+) +(\d+)", limits, re.MULTILINE)
        assert found is not None
        assert found.groups() == (str(FILES), str(FILES))


HEAD = b"POST /accounts/login/ HTTP/1.1\r\nhost: 127.0.0.1\r\n"


@pytest.mark.parametrize("half", [b"", HEAD, HEAD + b"content-length: 9\r\n\r\nname"])
def test_half_requests_keep_nobody_out(scarce: GatewayProcess, half: bytes) -> None:
    """As many as there are files and more, which is long before any of them is late."""
    authorization = f"Bearer {scarce.issue_key()}"
    with ExitStack() as stack:
        for _ in range(400):
            client = stack.enter_context(connected(scarce.url))
            client.send_while_taken(half, 1)
        for _ in range(5):
            assert answers(scarce, authorization)
        # The database is reached as well, which takes files too.
        assert httpx.get(f"{scarce.url}/readyz", timeout=30).status_code == 200
        assert httpx.get(f"{scarce.url}/accounts/login/", timeout=30).status_code == 200
    assert f"The limit of open files ({FILES}) is nearly reached" in scarce.log


def test_requests_beyond_the_room_are_refused_and_none_is_broken(
    scarce: GatewayProcess, upstream: RunningSimulator
) -> None:
    """Each takes two files, and none ends before all have begun."""
    authorization = f"Bearer {scarce.issue_key()}"
    stream = chat_body("Count to 60 [simulate slow-tokens seconds=1]", stream=True)
    body = json.dumps(stream).encode()
    statuses: Counter[int] = Counter()
    with ExitStack() as stack:
        clients = []
        for _ in range(200):
            clients.append(stack.enter_context(connected(scarce.url)))
            clients[-1].request("POST", "/v1/chat/completions", body, authorization=authorization)
        for client in clients:
            first = client.receive()
            statuses[int(first.split()[1])] += 1
            assert b" 200 " in first or b"retry-after: 5" in first
    assert set(statuses) == {200, 503}
    assert statuses[200] > 80
    # And when they are gone there is room again.
    scarce.wait_until(lambda: answers(scarce, authorization), "an answer")


def answers(gateway: GatewayProcess, authorization: str) -> bool:
    answer = httpx.post(
        f"{gateway.url}/v1/chat/completions",
        json=chat_body(),
        headers={"authorization": authorization},
        timeout=30,
    )
    return answer.status_code == 200


def test_a_connection_that_is_used_outlives_those_that_are_not(scarce: GatewayProcess) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(scarce.url)) for _ in range(60)]
        used = stack.enter_context(connected(scarce.url))
        for _ in range(200):
            stack.enter_context(connected(scarce.url))
            used.request("GET", "/healthz")
            assert used.response().status == 200
        scarce.wait_until(lambda: any(client.is_closed() for client in idle), "one is closed")
