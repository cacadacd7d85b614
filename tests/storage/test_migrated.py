"""A database that lacks migrations: said in one line everywhere, 503, and well once it has them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from keys import key_text
from storage import migrated
from tests.gateway import GatewayProcess, prepare_database
from tests.keys.engines import postgres_server
from tests.needs import ROOT
from workers_ai.simulator.serve import RunningSimulator

KEYS = sorted(name for app, name in MigrationLoader(None).disk_migrations if app == "keys")
THREE = "3 migrations are not applied: run manage.py migrate"


@contextmanager
def started(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    try:
        gateway.start()
        with httpx.Client(base_url=gateway.url, timeout=20) as http:
            yield http
    finally:
        gateway.close()


@pytest.fixture
def unmigrated(
    upstream: RunningSimulator, tmp_path: Path, django_db_blocker: pytest.FixtureRequest
) -> Iterator[GatewayProcess]:
    """With an empty SQLite file, not started."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        yield GatewayProcess(tmp_path, upstream)


def chat_status(http: httpx.Client, key: str) -> tuple[int, str]:
    body = {"model": "@cf/openai/gpt-oss-20b", "messages": [{"role": "user", "content": "hello"}]}
    answer = http.post("/v1/chat/completions", json=body, headers={"x-api-key": key})
    return answer.status_code, answer.json().get("error", {}).get("code", "")


def test_missing_migrations_are_told_and_requests_are_refused(unmigrated: GatewayProcess) -> None:
    gateway = unmigrated
    prepare_database(gateway, refresh=True)
    key = gateway.issue_key()
    gateway.manage("migrate", "keys", KEYS[-4], "-v0")
    with started(gateway) as http:
        ready = http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] == THREE
        assert f"Keys and catalog cannot be read: {THREE}" in gateway.log
        for text in (key, key_text.make_key()):
            assert chat_status(http, text) == (503, "database_unavailable")
        checked = gateway.manage("check", "--deploy", "--database", "default", check=False)
        assert checked.returncode == 1
        assert f"(storage.E002) {THREE}." in checked.stderr
        # `migrate` itself is not told, and without it the gateway would never be well.
        assert "storage.E002" not in gateway.manage("migrate").stderr
        gateway.wait_until(lambda: http.get("/readyz").status_code == 200, "ready by itself")
        assert chat_status(http, key) == (200, "")
        assert "The database answers again" in gateway.log


def test_a_database_that_loses_migrations_is_not_ready(unmigrated: GatewayProcess) -> None:
    gateway = unmigrated
    prepare_database(gateway, refresh=True)
    with started(gateway) as http:
        assert http.get("/readyz").status_code == 200
        gateway.manage("migrate", "keys", KEYS[-2], "-v0")
        assert http.get("/readyz").json()["checks"]["database"] == (
            "1 migration is not applied: run manage.py migrate"
        )


def test_an_empty_database_is_told_as_such(unmigrated: GatewayProcess) -> None:
    gateway = unmigrated
    with started(gateway) as http:
        checks = http.get("/readyz").json()["checks"]
        assert checks["database"].endswith("migrations are not applied: run manage.py migrate")
        assert checks["catalog"] == "not read yet"
        for path in ("/v1/models", "/v1/key"):
            answer = http.get(path, headers={"x-api-key": key_text.make_key()})
            assert answer.json()["error"]["code"] == "database_unavailable"
        http.cookies.set(settings.SESSION_COOKIE_NAME, "0123456789abcdef0123456789abcdef")
        assert http.get("/admin/").status_code == 503
        assert "Traceback" not in gateway.log
        listed = gateway.manage("list_keys", check=False)
        [line] = listed.stderr.splitlines()
        assert "no such table: keys_key (" in line and "run manage.py migrate)" in line


@pytest.mark.django_db
def test_a_database_that_is_ahead_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert migrated.problem() == ""
    needed = dict(migrated._needed())
    needed.pop(("keys", KEYS[-1]))
    monkeypatch.setattr(migrated, "_needed", lambda: needed)
    assert migrated.unapplied() == []


@pytest.mark.django_db
def test_a_migration_that_stands_for_others_is_applied_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    squashed, first = ("keys", "0001_squashed"), ("keys", KEYS[0])
    needed = {**migrated._needed(), squashed: frozenset({first})}
    monkeypatch.setattr(migrated, "_needed", lambda: needed)
    assert migrated.unapplied() == []
    needed[squashed] = frozenset({first, ("keys", "0000_never_applied")})
    assert migrated.unapplied() == [squashed]


def test_every_migration_can_be_taken_back() -> None:
    for migration in MigrationLoader(None).disk_migrations.values():
        assert all(operation.reversible for operation in migration.operations), migration


# --- one at a time ----------------------------------------------------------------------------


def migrate_together(environment: dict[str, str], count: int = 3) -> None:
    def migrate(_: int) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
        )

    with ThreadPoolExecutor(count) as pool:
        for ended in pool.map(migrate, range(count)):
            assert ended.returncode == 0, ended.stderr
            assert not ended.stderr


def test_three_that_migrate_at_once_wait_for_each_other_on_sqlite(
    unmigrated: GatewayProcess,
) -> None:
    migrate_together(unmigrated.environment)
    assert json.loads(unmigrated.manage("list_keys", "--json").stdout) == []
    unmigrated.close()


def test_three_that_migrate_at_once_wait_for_each_other_on_postgresql(
    unmigrated: GatewayProcess,
) -> None:
    with postgres_server() as url:
        migrate_together({**unmigrated.environment, "DATABASE_URL": url})
    unmigrated.close()


def test_a_database_that_cannot_be_migrated_is_told_what_it_lacks(tmp_path: Path) -> None:
    with postgres_server() as url, psycopg.connect(url, autocommit=True) as direct:
        direct.execute("CREATE ROLE guest LOGIN")
        direct.execute(
            "CREATE DATABASE old ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        direct.execute("CREATE DATABASE new")
        user, name = direct.info.user, direct.info.dbname
        head, _, tail = url.rpartition(f"/{name}")

        def migrated_with(url: str) -> tuple[int, str]:
            result = subprocess.run(
                [sys.executable, "manage.py", "migrate", "-v0"],
                cwd=ROOT,
                env={**os.environ, "DATABASE_URL": url},
                capture_output=True,
                text=True,
                timeout=120,
            )
            return result.returncode, result.stderr

        status, said = migrated_with(f"{head}/old{tail}")
        assert status == 1 and "The database's encoding is LATIN1: the gateway takes UTF8." in said
        assert "Traceback" not in said
        status, said = migrated_with(f"{head}/new{tail}".replace(f"{user}@", "guest@", 1))
        assert status == 1 and said.count("\n") == 1, said
        assert "permission denied for schema public" in said and "OWNER TO" in said
