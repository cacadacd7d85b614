"""What a request must not do on its way, counted over many: query, hop to a thread, or leave
objects behind in circles.
"""

import base64
import io
import platform
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.gateway import GatewayProcess, running_gateway
from tests.openai_api.chats import chat_body, new_id
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


CHAT = {"model": CHAT_MODEL, "messages": MESSAGES}
WAV = {"file": ("a.wav", b"not a recording", "audio/wav")}
PNG = {"image": ("a.png", b"not a picture", "image/png")}
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "no JSON": ("/chat/completions", {"content": b"{"}),
    "not encoded so": (
        "/chat/completions",
        {"content": b"{}", "headers": {"content-encoding": "gzip"}},
    ),
    "wrong field": ("/chat/completions", {"json": CHAT | {"temperature": "hot"}}),
    "wrong item": ("/responses", {"json": {"model": CHAT_MODEL, "input": [1]}}),
    "wrong message": ("/messages", {"json": CHAT | {"max_tokens": 0}}),
    "nothing to count": ("/messages/count_tokens", {"json": {"model": CHAT_MODEL}}),
    "no text": ("/embeddings", {"json": {"model": "@cf/baai/bge-m3", "input": 5}}),
    "no picture": ("/images/edits", {"files": PNG, "data": {"model": IMAGE_MODEL}}),
    "no recording": (
        "/audio/transcriptions",
        {"files": WAV, "data": {"model": "@cf/openai/whisper"}},
    ),
    "no form": ("/audio/transcriptions", {"content": b"x"}),
    "too many values": ("/chat/completions", {"content": b"[" * 250_000}),
    "by upstream": ("/chat/completions", {"json": chat_body("Hi [simulate error-5006]")}),
    "by upstream, streamed": (
        "/chat/completions",
        {"json": chat_body("Hi [simulate error-event]", stream=True)},
    ),
    "cut by upstream": ("/chat/completions", {"json": chat_body("Hi [simulate cut-stream]")}),
    "cut by upstream, streamed": (
        "/chat/completions",
        {"json": chat_body("9 words [simulate cut-stream after=4]", stream=True)},
    ),
    "unknown path": ("/nothing", {"json": CHAT}),
}


def test_refusals_leave_no_garbage(holder: httpx.Client, report_path: Path) -> None:
    """Or a worker would keep the bodies of all that it refused until its collector runs."""
    left = {}
    for name, (path, options) in REFUSED.items():
        holder.post(path, **options)
        before = len(report_path.read_text())
        statuses = {holder.post(path, **options).status_code for _ in range(2)}
        holder.get("/models")  # sees what the last one left
        told = report_path.read_text()[before:]
        if "garbage" in told:
            left[name] = (statuses, told)
    assert left == {}


SPEECH = {"model": "@cf/myshell-ai/melotts", "input": "Hi [simulate hang]"}
LEFT: dict[str, tuple[str, dict[str, Any]]] = {
    "a stream": ("/chat/completions", chat_body("Hi [simulate endless seconds=30]", stream=True)),
    "a stream of a message": (
        "/messages",
        chat_body("Hi [simulate endless seconds=30]", stream=True) | {"max_tokens": 9999},
    ),
    "a stream without an event": (
        "/chat/completions",
        chat_body("Hi [simulate hang]", stream=True),
    ),
    "a whole answer": ("/chat/completions", chat_body("Hi [simulate hang]")),
    "speech": ("/audio/speech", SPEECH),
}


def hang_up(path: str, body: dict[str, Any], client: httpx.Client, gateway: GatewayProcess) -> None:
    """Returns once the gateway has noticed, and is done with the request."""
    told = {"x-request-id": new_id()}
    with (
        suppress(httpx.ReadTimeout),
        client.stream("POST", path, json=body, headers=told, timeout=1) as answer,
    ):
        next(answer.iter_lines())
    gateway.wait_until(lambda: told["x-request-id"] in gateway.log, "it is noticed")


@pytest.mark.parametrize("left", LEFT)
def test_who_hangs_up_leaves_no_garbage(
    left: str, holder: httpx.Client, watched_gateway: GatewayProcess, report_path: Path
) -> None:
    """Or a worker would keep all that each of their answers holds until its collector runs."""
    path, body = LEFT[left]
    holder.get("/models")
    before = len(report_path.read_text())
    hang_up(path, body, holder, watched_gateway)
    hang_up(path, body, holder, watched_gateway)
    holder.get("/models")
    told = report_path.read_text()[before:]
    assert not [line for line in told.splitlines() if line.startswith("garbage")]


def test_the_watch_sees_a_request_that_does_query(holder: httpx.Client, report_path: Path) -> None:
    before = len(report_path.read_text())
    # Sums up what the key has used, which is in the database alone.
    assert holder.get("/key").status_code == 200
    told = report_path.read_text()[before:]
    assert "query: " in told
    assert "thread: " in told


VISION_MODEL = "@cf/meta/llama-4-scout-17b-16e-instruct"
LARGE_BYTES = 5_000_000


def picture_chat(size_bytes: int, text: str = "What is it?") -> dict[str, Any]:
    """A chat about a picture; what is behind its end no reader minds."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    data = base64.b64encode(file.getvalue().ljust(size_bytes * 3 // 4, b"\0")).decode()
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + data}}
    content = [{"type": "text", "text": text}, part]
    return {"model": VISION_MODEL, "messages": [{"role": "user", "content": content}]}


def faults(pid: int) -> int:
    """Pages that the process has been given by the system so far."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


def test_memory_of_large_bodies_is_used_again(
    holder: httpx.Client, watched_gateway: GatewayProcess
) -> None:
    """Each new page of it costs more than all that is done with the bytes in it."""
    (pid,) = watched_gateway.worker_pids
    body = picture_chat(LARGE_BYTES)
    for _ in range(3):
        answer = holder.post("/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
    before, count = faults(pid), 10
    for _ in range(count):
        answer = holder.post("/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
    pages = (faults(pid) - before) / count
    assert pages < 3.2 * LARGE_BYTES / resource.getpagesize()


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries keep less")
def test_it_is_given_back_once_no_large_body_comes(
    holder: httpx.Client, watched_gateway: GatewayProcess
) -> None:
    (pid,) = watched_gateway.worker_pids
    body = picture_chat(LARGE_BYTES)
    most = 0
    for _ in range(3):
        answer = holder.post("/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        most = max(most, resident_bytes(pid))
    watched_gateway.wait_until(
        lambda: resident_bytes(pid) < most - LARGE_BYTES, "memory is given back"
    )


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries keep more")
def test_a_stream_that_lasts_does_not_hold_its_request(
    holder: httpx.Client, watched_gateway: GatewayProcess
) -> None:
    (pid,) = watched_gateway.worker_pids
    before, streams = resident_bytes(pid), 8
    body = picture_chat(LARGE_BYTES, "[simulate endless seconds=0.5]") | {"stream": True}
    with ExitStack() as held:
        for _ in range(streams):
            answer = held.enter_context(holder.stream("POST", "/chat/completions", json=body))
            assert answer.status_code == 200
        watched_gateway.wait_until(
            lambda: resident_bytes(pid) < before + streams // 2 * LARGE_BYTES,
            "memory is given back",
        )
