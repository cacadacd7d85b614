"""Two scripts at once, over HTTP to a gateway: one makes, one changes, and nobody waits in vain."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from keys.models import Key
from management_api.models import KeptAnswer
from tests.gateway import GatewayProcess, running_gateway
from tests.keys.engines import postgres_server
from tests.keys.factories import user
from tests.management_api.api_client import new_token
from workers_ai.simulator.serve import RunningSimulator

AT_ONCE = 8


@contextmanager
def script(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    gateway.database(lambda: user("ada"))
    text = gateway.database(lambda: new_token(requests_per_minute=100_000)[1])
    headers = {"authorization": f"Bearer {text}"}
    with httpx.Client(base_url=f"{gateway.url}/api", headers=headers, timeout=60) as http:
        yield http


def at_once(send: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(send, range(AT_ONCE)))


def made_once(gateway: GatewayProcess, http: httpx.Client) -> dict[str, Any]:
    body = {"name": "made at once", "owner": "ada"}
    answers = at_once(
        lambda _: http.post("/keys/", json=body, headers={"idempotency-key": "at-once"})
    )
    assert {answer.status_code for answer in answers} == {201}, answers[0].text
    keys = [answer.json()["key"] for answer in answers]
    assert sum(key is not None for key in keys) == 1
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert gateway.database(Key.objects.filter(name="made at once").count) == 1
    assert gateway.database(KeptAnswer.objects.filter(status=201).count) >= 1
    made: dict[str, Any] = answers[0].json()
    return made


def changed_once(http: httpx.Client, path: str, **body: Any) -> None:
    etag = http.get(path).headers["etag"]
    answers = at_once(
        lambda number: http.patch(
            path, json={**body, "notes": str(number)}, headers={"if-match": etag}
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: AT_ONCE - 1}
    [winner] = [answer for answer in answers if answer.status_code == 200]
    assert http.get(path).json() == winner.json()


def try_at_once(gateway: GatewayProcess) -> None:
    with script(gateway) as http:
        key = made_once(gateway, http)
        changed_once(http, f"/keys/{key['id']}/")
        team = http.post("/teams/", json={"name": "made at once"}).json()
        changed_once(http, f"/teams/{team['id']}/")
        model = http.get("/models/?page_size=1").json()["data"][0]
        changed_once(http, f"/models/{model['id']}/")
        twins = at_once(lambda _: http.post("/teams/", json={"name": "twins"}))
        assert Counter(answer.status_code for answer in twins) == {201: 1, 422: AT_ONCE - 1}


def test_of_scripts_at_once_one_makes_and_one_changes(gateway: GatewayProcess) -> None:
    try_at_once(gateway)


def test_bodies_come_in_parts_and_large_ones_are_refused(gateway: GatewayProcess) -> None:
    as_json = {"content-type": "application/json"}

    def parts() -> Iterator[bytes]:
        yield b'{"name": "in parts",'
        yield b'"owner": "ada"}'

    with script(gateway) as http:
        made = http.post("/keys/", content=parts(), headers=as_json)
        assert made.status_code == 201, made.text
    for size in (300_000, 3_000_000):
        with script(gateway) as http:
            refused = http.post("/keys/", content=b"x" * size, headers=as_json)
            assert refused.status_code == 413, size
            assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.drill
def test_the_same_on_postgresql(
    upstream: RunningSimulator, tmp_path: Path, django_db_blocker: Any
) -> None:
    with (
        django_db_blocker.unblock(),
        postgres_server() as url,
        running_gateway(tmp_path / "gateway", upstream, DATABASE_URL=url) as gateway,
    ):
        try_at_once(gateway)
        with script(gateway) as http:
            for path in ("/keys/?name=%F0%9F%90%99", "/usage/?by=month,team,user", "/logs/"):
                assert http.get(path).status_code == 200, path
            assert "Traceback" not in gateway.log
