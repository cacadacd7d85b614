"""What a request must not do on its way, counted over many: query, hop to a thread, or leave
objects behind in circles.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import GatewayProcess, running_gateway
from workers_ai.simulator.serve import RunningSimulator

REQUESTS = 100
CHAT_MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
IMAGE_MODEL = "@cf/black-forest-labs/flux-1-schnell"
MESSAGES = [{"role": "user", "content": "Hello"}]

Ask = Callable[[httpx.Client], httpx.Response]


@pytest.fixture(scope="module")
def report_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hot-path") / "report"
    path.touch()
    return path


@pytest.fixture(scope="module")
def watched_gateway(
    session_upstream: RunningSimulator,
    report_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    worker = "--worker-class=tests.proxysite.watched_worker.WatchedWorker"
    told = {"GUNICORN_CMD_ARGS": worker, "HOT_PATH_REPORT": str(report_path)}
    folder = tmp_path_factory.mktemp("watched")
    with (
        django_db_blocker.unblock(),
        running_gateway(folder, session_upstream, **told) as gateway,
    ):
        yield gateway


@pytest.fixture(scope="module")
def holder(watched_gateway: GatewayProcess, django_db_blocker: Any) -> Iterator[httpx.Client]:
    """A client of a key with every limit that is counted in memory."""
    with django_db_blocker.unblock():
        key = watched_gateway.issue_key(
            "hot path",
            requests_per_minute=1_000_000,
            tokens_per_minute=10**12,
            concurrency=1000,
            daily_budget_nano_usd=10**15,
            monthly_budget_nano_usd=10**15,
            total_budget_nano_usd=10**15,
            daily_neurons_micro=10**15,
        )
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=watched_gateway.url + "/v1", headers=headers, timeout=30) as client:
        yield client


def chat(client: httpx.Client) -> httpx.Response:
    return client.post("/chat/completions", json={"model": CHAT_MODEL, "messages": MESSAGES})


def streamed_chat(client: httpx.Client) -> httpx.Response:
    body = {"model": CHAT_MODEL, "messages": MESSAGES, "stream": True}
    return client.post("/chat/completions", json=body)


def response(client: httpx.Client) -> httpx.Response:
    return client.post("/responses", json={"model": CHAT_MODEL, "input": MESSAGES})


def streamed_message(client: httpx.Client) -> httpx.Response:
    body = {"model": CHAT_MODEL, "max_tokens": 99, "messages": MESSAGES, "stream": True}
    return client.post("/messages", json=body)


def image(client: httpx.Client) -> httpx.Response:
    return client.post("/images/generations", json={"model": IMAGE_MODEL, "prompt": "a red cube"})


def model_list(client: httpx.Client) -> httpx.Response:
    return client.get("/models")


def refusal(client: httpx.Client) -> httpx.Response:
    return client.post("/chat/completions", json={"model": "@cf/no/such", "messages": MESSAGES})


@pytest.mark.parametrize(
    "ask", [chat, streamed_chat, response, streamed_message, image, model_list, refusal]
)
def test_requests_issue_no_query_start_no_thread_and_leave_no_garbage(
    ask: Ask, holder: httpx.Client, report_path: Path
) -> None:
    ask(holder)  # the key is new, and is looked up once
    before = len(report_path.read_text())
    count = REQUESTS if ask in (chat, streamed_chat) else REQUESTS // 4
    statuses = {ask(holder).status_code for _ in range(count)}
    assert statuses == ({404} if ask is refusal else {200})
    assert report_path.read_text()[before:] == ""


def test_the_watch_sees_a_request_that_does_query(holder: httpx.Client, report_path: Path) -> None:
    before = len(report_path.read_text())
    # Sums up what the key has used, which is in the database alone.
    assert holder.get("/key").status_code == 200
    told = report_path.read_text()[before:]
    assert "query: " in told
    assert "thread: " in told
