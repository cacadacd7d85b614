"""Crashes, outages and crowds, over HTTP: on SQLite, and with two workers on PostgreSQL and Redis.

Whatever happens, no answer lacks its row, rows and totals agree, and what failed comes back.
"""

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from django.conf import settings

from tests.gateway import GatewayProcess, running_gateway
from tests.keys import drills
from tests.keys.engines import PostgresServer, RedisServer, postgres_process, redis_server
from tests.keys.load import PICTURE_NANO_USD, REQUESTS, ask_all, callers
from tests.keys.releases import release_beside, roll
from workers_ai.simulator.serve import RunningSimulator

# Slow commits, so that an answer which did not wait for its row would be caught; patience, so that
# a machine that is busy with other things turns nobody away.
SLOW = {"LEDGER_COMMIT_DELAY_MS": "10", "BUDGET_TIMEOUT": "30", "UPSTREAM_RETRIES": "0"}
SLOW |= {"METRICS_ALLOWED_NETWORKS": "127.0.0.1"}
# So small that a short outage is long enough to reach them.
SMALL_BOUNDS = {"LEDGER_QUEUE_ROWS": "30", "BUDGET_TIMEOUT": "1.5"}
MIXED = 300
AWAY_S = 2.0
CALLERS = 60
STREAMS = 100


@dataclass
class Shared:
    gateway: GatewayProcess
    postgres: PostgresServer
    redis: RedisServer


@pytest.fixture(scope="module")
def started(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[Shared]:
    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        postgres = stack.enter_context(postgres_process(migrated=True))
        redis = stack.enter_context(redis_server())
        gateway = stack.enter_context(
            running_gateway(
                tmp_path_factory.mktemp("shared"),
                session_upstream,
                migrated=True,
                DATABASE_URL=postgres.url,
                REDIS_URL=redis.url,
                WEB_CONCURRENCY="2",
                **SLOW,
            )
        )
        yield Shared(gateway, postgres, redis)


@pytest.fixture(scope="module")
def started_alone(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("alone")
    with (
        django_db_blocker.unblock(),
        running_gateway(folder, session_upstream, **SLOW) as gateway,
    ):
        yield gateway


@pytest.fixture
def alone(
    started_alone: GatewayProcess, upstream: RunningSimulator, django_db_blocker: Any
) -> Iterator[GatewayProcess]:
    """One worker on SQLite."""
    with django_db_blocker.unblock():
        yield started_alone


@pytest.fixture
def shared(started: Shared, upstream: RunningSimulator, django_db_blocker: Any) -> Iterator[Shared]:
    """Two workers on PostgreSQL and Redis."""
    with django_db_blocker.unblock():
        yield started


def bound_narrowly(gateway: GatewayProcess) -> None:
    """Starts the gateway anew with bounds that an outage reaches: for the last tests of it."""
    gateway.environment.update(SMALL_BOUNDS)
    drills.restart_killed(gateway)


def with_budget(gateway: GatewayProcess, **fields: int) -> tuple[Any, str]:
    return gateway.issue(daily_budget_nano_usd=drills.MUCH_NANO_USD, **fields)


# --- 300 mixed requests -----------------------------------------------------------------------


async def test_300_mixed_requests_agree_to_the_nano_dollar_on_sqlite(
    alone: GatewayProcess,
) -> None:
    record, key = with_budget(alone)
    asked = await drills.mixed_requests(alone, key, MIXED)
    drills.assert_all_agree(alone, record, key, asked)
    assert any(row.cached_tokens for row in alone.rows(key_id=record.pk))


async def test_300_mixed_requests_agree_to_the_nano_dollar_over_two_workers(
    shared: Shared,
) -> None:
    record, key = with_budget(shared.gateway, requests_per_minute=10**6, concurrency=10**4)
    asked = await drills.mixed_requests(shared.gateway, key, MIXED)
    drills.assert_all_agree(shared.gateway, record, key, asked)
    assert {row.end_reason for row in shared.gateway.rows(key_id=record.pk)} >= {
        *("complete", "client_gone", "upstream_cut", "upstream_error", "rejected")
    }


# --- fifty at once ----------------------------------------------------------------------------

ROOM = {
    "requests_per_minute": (7, "chat"),
    "concurrency": (7, "slow chat"),
    # Seven times max_tokens and a prompt of less than a seventh of that.
    "tokens_per_minute": (7_990, "slow chat"),
    "daily_budget_nano_usd": (8 * PICTURE_NANO_USD - 1, "picture"),
}


@pytest.mark.parametrize("limit", ROOM)
async def test_of_fifty_at_once_over_two_workers_and_http_seven_pass(
    shared: Shared, limit: str
) -> None:
    room, kind = ROOM[limit]
    key = shared.gateway.issue_key(**{limit: room})
    async with callers(shared.gateway, key) as client:
        asked = await ask_all(client, [kind] * 50, at_once=50)
    assert Counter(one.status for one in asked) == {200: 7, 429: 43}
    refused = {one.code for one in asked if one.status == 429}
    assert refused == {"insufficient_quota" if kind == "picture" else "rate_limit_exceeded"}


# --- a rolling update -------------------------------------------------------------------------


async def test_workers_of_the_last_release_work_beside_todays(
    shared: Shared, upstream: RunningSimulator, tmp_path: Path
) -> None:
    with release_beside(shared.gateway, upstream, tmp_path) as beside:
        await roll(shared.gateway, beside)


# --- kill -9 ----------------------------------------------------------------------------------


async def test_a_worker_killed_under_load_is_replaced_and_no_answer_lacks_its_row(
    shared: Shared,
) -> None:
    keys = drills.team_keys(shared.gateway, 3)
    texts = [text for _, text in keys.values()]
    asked = await drills.kill_under_load(
        shared.gateway, texts, lambda: drills.kill_a_worker(shared.gateway)
    )
    drills.assert_no_answer_lacks_its_row(shared.gateway, asked)
    drills.assert_teams_agree(shared.gateway, keys)
    for text in texts:
        drills.end_leases_of_the_dead(shared.gateway, text)


async def test_a_server_killed_under_load_holds_no_budget_and_no_answer_lacks_its_row(
    alone: GatewayProcess,
) -> None:
    _, key = with_budget(alone)
    asked = await drills.kill_under_load(alone, [key], lambda: drills.restart_killed(alone))
    drills.assert_no_answer_lacks_its_row(alone, asked)
    assert drills.end_leases_of_the_dead(alone, key), "nothing was reserved at the kill"


# --- the database frozen ----------------------------------------------------------------------


async def test_readyz_says_in_time_that_the_database_is_frozen(shared: Shared) -> None:
    shared.postgres.freeze()
    try:
        async with httpx.AsyncClient(base_url=shared.gateway.url, timeout=5) as client:
            answers = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
    finally:
        shared.postgres.thaw()
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.json()["checks"]["database"] for answer in answers} == {
        "does not answer within 2 s"
    }
    shared.gateway.wait_until(
        lambda: httpx.get(shared.gateway.url + "/readyz").status_code == 200, "ready again"
    )


# --- Redis away -------------------------------------------------------------------------------


async def test_limits_are_each_workers_own_while_redis_is_away_and_shared_again_after(
    shared: Shared,
) -> None:
    gateway, room = shared.gateway, 5

    def limits() -> str:
        ready = httpx.get(gateway.url + "/readyz")
        assert ready.status_code == 200
        checks: dict[str, str] = ready.json()["checks"]
        return checks["limits"]

    async def passing() -> int:
        async with callers(gateway, gateway.issue_key(requests_per_minute=room)) as client:
            asked = await ask_all(client, ["chat"] * 24, at_once=24)
        assert {one.status for one in asked} == {200, 429}
        return sum(one.status == 200 for one in asked)

    assert await passing() == room
    shared.redis.stop()
    try:
        # Without a request whose limits would be counted.
        assert "Redis does not answer" in limits()
        assert room <= await passing() <= 2 * room
        gateway.wait_until(lambda: "Redis does not answer" in limits(), "readyz says so")
    finally:
        shared.redis.start()
    many = gateway.issue_key(requests_per_minute=10**6)

    def is_shared_again() -> bool:
        # A request is what tries Redis again.
        path, body = REQUESTS["chat"]
        httpx.post(
            f"{gateway.url}/v1{path}", json=body, headers={"authorization": f"Bearer {many}"}
        )
        log = gateway.log
        return log.count("Redis answers again") == log.count("Redis does not answer (")

    gateway.wait_until(is_shared_again, "every worker that missed Redis has it back")
    assert await passing() == room


# --- many streams -----------------------------------------------------------------------------


def connections_of(postgres: PostgresServer) -> int:
    with psycopg.connect(postgres.url) as direct:
        [(connections,)] = direct.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
    return int(connections)


async def test_100_idle_streams_take_no_database_connection_and_no_thread(shared: Shared) -> None:
    gateway = shared.gateway
    key = gateway.issue_key()

    def look() -> tuple[int, int]:
        figures = [drills.process_figures(pid) for pid in gateway.worker_pids]
        return connections_of(shared.postgres), sum(each["threads"] for each in figures)

    before, during = await drills.idle_streams(gateway, key, STREAMS, look)
    assert during[0] <= max(before[0], 6)
    # The pools of threads may fill up meanwhile, to their bounds.
    assert during[1] < STREAMS
    assert threading.active_count() < STREAMS


def test_pages_leave_no_database_connection_behind(shared: Shared) -> None:
    def visit() -> int:
        # A session that nobody knows is looked for in the database, and sent to the login.
        cookies = {settings.SESSION_COOKIE_NAME: "0123456789abcdef0123456789abcdef"}
        with httpx.Client(base_url=shared.gateway.url, cookies=cookies) as browser:
            return browser.get("/admin/keys/key/").status_code

    assert [visit() for _ in range(12)] == [302] * 12
    # Two for each worker, the test's own, and one that is just being closed.
    shared.gateway.wait_until(
        lambda: connections_of(shared.postgres) <= 6, "the pages' connections are closed"
    )


# --- the database away ------------------------------------------------------------------------


async def test_requests_outlive_a_database_that_is_stopped_and_started(shared: Shared) -> None:
    gateway = shared.gateway
    bound_narrowly(gateway)
    asked, during = await drills.outage_under_load(
        gateway,
        begin=shared.postgres.stop,
        end=shared.postgres.start,
        lasts_s=AWAY_S,
        count=CALLERS,
    )
    assert during > 5, "a stream that ran stood still while the database was away"
    drills.assert_nothing_was_lost(gateway, asked)


async def test_requests_outlive_a_database_file_that_somebody_has_locked(
    alone: GatewayProcess,
) -> None:
    path = alone.database_url.removeprefix("sqlite:///")
    lock = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    bound_narrowly(alone)
    asked, during = await drills.outage_under_load(
        alone,
        begin=lambda: lock.execute("BEGIN IMMEDIATE"),
        end=lambda: lock.execute("ROLLBACK"),
        lasts_s=AWAY_S,
        count=CALLERS // 2,
    )
    lock.close()
    assert during > 5, "a stream that ran stood still while the file was locked"
    drills.assert_nothing_was_lost(alone, asked)
