"""Everything that asks the database, by way of a real PgBouncer in transaction mode."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model

from tests.gateway import GatewayProcess, running_gateway
from tests.keys import drills
from tests.keys.engines import PostgresServer, pooled, postgres_process
from workers_ai.simulator.serve import RunningSimulator


@pytest.fixture(scope="module")
def started(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[tuple[GatewayProcess, PostgresServer]]:
    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        postgres = stack.enter_context(postgres_process())
        # Migrated, and its catalog read, by way of the pooler too.
        gateway = stack.enter_context(
            running_gateway(
                tmp_path_factory.mktemp("pooled"),
                session_upstream,
                DATABASE_URL=stack.enter_context(pooled(postgres)),
                WEB_CONCURRENCY="2",
                LEDGER_COMMIT_DELAY_MS="5",
                BUDGET_TIMEOUT="30",
                UPSTREAM_RETRIES="0",
            )
        )
        yield gateway, postgres


@pytest.fixture
def gateway(
    started: tuple[GatewayProcess, PostgresServer],
    upstream: RunningSimulator,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    with django_db_blocker.unblock():
        yield started[0]


def test_keys_and_catalog_are_loaded(gateway: GatewayProcess) -> None:
    key = gateway.issue_key()
    gateway.wait_until(
        lambda: httpx.get(gateway.url + "/readyz").status_code == 200, "the gateway is ready"
    )
    listed = httpx.get(gateway.url + "/v1/models", headers={"x-api-key": key})
    assert len(listed.json()["data"]) > 10
    assert "cannot be read" not in gateway.log


async def test_fresh_keys_are_known_at_once_under_load(gateway: GatewayProcess) -> None:
    texts = [gateway.issue_key(daily_budget_nano_usd=10**12) for _ in range(20)]
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as client:

        async def ask(text: str) -> int:
            answer = await client.get("/v1/key", headers={"x-api-key": text})
            return answer.status_code

        assert set(await asyncio.gather(*map(ask, texts))) == {200}


async def test_mixed_requests_with_budgets_agree_to_the_nano_dollar(
    gateway: GatewayProcess,
) -> None:
    record, key = gateway.issue(daily_budget_nano_usd=drills.MUCH_NANO_USD)
    asked = await drills.mixed_requests(gateway, key, 90)
    drills.assert_all_agree(gateway, record, key, asked)


def test_commands_work(gateway: GatewayProcess) -> None:
    keys = json.loads(gateway.manage("list_keys", "--json").stdout)
    assert len(keys) == len({key["id"] for key in keys})
    rows = gateway.manage("export_logs").stdout.splitlines()
    assert len(rows) == len(gateway.rows())
    assert gateway.manage("check_ledger").returncode == 0
    assert gateway.manage("refresh_catalog").returncode == 0
    gateway.manage("rotate_key", str(gateway.issue()[0].pk))
    gateway.manage("prune_logs", "--older-than", "1d")
    assert gateway.manage("migrate", "--check").returncode == 0


def test_pages_work(gateway: GatewayProcess) -> None:
    operator = gateway.database(
        lambda: get_user_model().objects.create_superuser("pooled", password="x")
    )
    cookies = {settings.SESSION_COOKIE_NAME: gateway.session_of(operator)}
    pages = ("/", "/usage/", "/requests/", "/admin/", "/admin/keys/key/", "/admin/keys/requestlog/")
    with httpx.Client(base_url=gateway.url, cookies=cookies, timeout=30) as browser:
        assert {path: browser.get(path).status_code for path in pages} == dict.fromkeys(pages, 200)


def test_nothing_is_left_behind_in_the_poolers_connections(
    started: tuple[GatewayProcess, PostgresServer], gateway: GatewayProcess
) -> None:
    """What one sets for a session would be somebody else's next."""

    def left() -> list[tuple[str, str]]:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT name, setting FROM pg_settings WHERE source = 'session'")
            return [(name, setting) for name, setting in cursor.fetchall()]

    # The driver's own, which PgBouncer keeps apart for each client.
    kept_apart = {"TimeZone", "client_encoding", "DateStyle", "application_name"}
    for _ in range(8):
        assert {name for name, _ in gateway.database(left)} <= kept_apart
