"""How a gateway ends: streams in flight finish, and no answer is ever without its row."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx

from tests.gateway import GatewayProcess
from tests.openai_api.chats import Streamed, chat_body, events, new_id, opened, stream
from workers_ai.simulator.serve import RunningSimulator

Start = Callable[..., GatewayProcess]


def test_sigterm_lets_streams_finish_within_the_grace_and_records_the_others(
    start_gateway: Start,
) -> None:
    gateway = start_gateway(STOP_GRACE="2")
    key = gateway.issue_key()
    both_run = threading.Barrier(3)

    def read(text: str, request_id: str) -> Streamed:
        with (
            httpx.Client(
                base_url=gateway.url + "/v1",
                headers={"authorization": f"Bearer {key}"},
                timeout=40,
            ) as client,
            opened(client, chat_body(text), request_id=request_id) as (response, seen),
        ):
            with suppress(httpx.TransportError):
                for _ in events(response, seen):
                    if len(seen.at_s) == 2:
                        both_run.wait(30)
            return seen

    short, long = new_id(), new_id()
    with ThreadPoolExecutor(2) as pool:
        finishing = pool.submit(read, "Say a b c [simulate slow-tokens seconds=0.15]", short)
        outliving = pool.submit(read, "Count to 900 [simulate slow-tokens seconds=0.1]", long)
        both_run.wait(30)
        assert gateway.stop() == 0
        assert finishing.result(30).text == "a b c"
        assert finishing.result().dones == 1
        assert outliving.result(30).dones == 0
    assert gateway.row(short).end_reason == "complete"
    row = gateway.row(long)
    assert (row.end_reason, row.usage_source) == ("server_stopped", "partial")
    assert row.completion_tokens


def test_no_whole_answer_is_without_its_row_after_a_kill(
    start_gateway: Start, upstream: RunningSimulator
) -> None:
    """Commits are slowed down, so that an answer that did not wait for its row would be caught."""
    gateway = start_gateway(LEDGER_COMMIT_DELAY_MS="50")
    key = gateway.issue_key()
    whole: list[str] = []
    killed = threading.Event()

    def one_client(number: int) -> None:
        with httpx.Client(
            base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {key}"}, timeout=30
        ) as client:
            while not killed.is_set():
                request_id = new_id()
                try:
                    if number % 2:
                        if stream(client, "Say a b", request_id=request_id).dones:
                            whole.append(request_id)
                    else:
                        response = client.post(
                            "/chat/completions",
                            json=chat_body("Say a b"),
                            headers={"x-request-id": request_id},
                        )
                        json.loads(response.content)
                        whole.append(request_id)
                except (httpx.TransportError, AssertionError, ValueError):
                    return

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(one_client, number) for number in range(8)]
        gateway.wait_until(lambda: len(whole) > 80, "a load")
        gateway.kill()
        killed.set()
        for client in clients:
            client.result(40)
    recorded = {row.request_id for row in gateway.rows()}
    assert set(whole) <= recorded
    # The control: the kill came while answers waited for their rows, or this test proves nothing.
    asked = len(upstream.requests)
    assert asked > len(recorded), "nothing was in flight when the kill came"


def test_requests_are_taken_until_balancers_have_noticed(start_gateway: Start) -> None:
    gateway = start_gateway(DRAIN_DELAY="4", STOP_GRACE="2")
    key = gateway.issue_key()
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=30) as kept:
        ready = kept.get("/readyz")
        assert ready.status_code == 200
        assert "connection" not in ready.headers
        began = time.monotonic()
        gateway.terminate()
        gateway.wait_until(
            lambda: httpx.get(gateway.url + "/readyz", timeout=30).status_code == 503, "not ready"
        )
        # What comes now is served as ever, and on no connection that is to be used again.
        for ask in (kept.post, httpx.post):
            url = gateway.url + "/v1/chat/completions"
            answer = ask(url, json=chat_body(), headers=headers, timeout=30)
            assert answer.status_code == 200
            assert answer.headers["connection"] == "close"
        assert httpx.get(gateway.url + "/healthz", timeout=30).status_code == 200
        body = httpx.get(gateway.url + "/readyz", timeout=30).json()
        assert "ends" in body["checks"]["stopping"]
    assert gateway.wait() == 0
    assert time.monotonic() - began > 4


def test_without_a_delay_a_stop_begins_at_once(start_gateway: Start) -> None:
    gateway = start_gateway()
    began = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - began < 20
    assert "Traceback" not in gateway.log


def test_a_signal_for_the_master_ends_no_stream_of_a_worker(start_gateway: Start) -> None:
    """As when the terminal closes, or somebody signals all processes of that name."""
    gateway = start_gateway()
    key = gateway.issue_key()
    workers = gateway.worker_pids
    with (
        httpx.Client(
            base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {key}"}, timeout=40
        ) as client,
        opened(client, chat_body("hello")) as (response, seen),
    ):
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
            os.kill(workers[0], number)
        for _ in events(response, seen):
            pass
    assert seen.dones == 1
    assert gateway.worker_pids == workers


def test_workers_end_after_their_master_was_killed(start_gateway: Start) -> None:
    """Nobody would stop them, and no other gateway could have their port."""
    gateway = start_gateway(WEB_CONCURRENCY="2", STOP_GRACE="20")
    gateway.wait_until(lambda: len(gateway.worker_pids) == 2, "both workers exist")
    workers = gateway.worker_pids
    request_id = new_id()
    with (
        httpx.Client(
            base_url=gateway.url + "/v1", headers={"x-api-key": gateway.issue_key()}, timeout=40
        ) as client,
        opened(
            client,
            chat_body("Say a b c d [simulate slow-tokens seconds=0.2]"),
            request_id=request_id,
        ) as (response, seen),
    ):
        coming = events(response, seen)
        next(coming)
        gateway.kill_master()
        for _ in coming:
            pass
    assert (seen.text, seen.dones) == ("a b c d", 1)
    assert gateway.row(request_id).end_reason == "complete"
    try:
        gateway.wait_until(lambda: not any(is_running(pid) for pid in workers), "both have ended")
    finally:
        for pid in filter(is_running, workers):
            os.kill(pid, signal.SIGKILL)
    gateway.start()


def is_running(pid: int) -> bool:
    """Not one that has ended and waits for whoever has to take note of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
