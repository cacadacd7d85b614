"""While PostgreSQL is away, every way that needs it says so: 503 over HTTP, one line elsewhere."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections

from keys import key_text
from tests.gateway import GatewayProcess, running_gateway
from tests.keys.engines import PostgresServer, postgres_process
from tests.openai_api.chats import chat_body
from workers_ai.simulator.serve import RunningSimulator

STATIC = "a-shared-key-of-the-settings"


@dataclass
class Shared:
    gateway: GatewayProcess
    postgres: PostgresServer


@pytest.fixture(scope="module")
def started(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[Shared]:
    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        postgres = stack.enter_context(postgres_process(migrated=True))
        gateway = stack.enter_context(
            running_gateway(
                tmp_path_factory.mktemp("away"),
                session_upstream,
                migrated=True,
                DATABASE_URL=postgres.url,
                METRICS_ALLOWED_NETWORKS="127.0.0.1/32",
                PROXY_API_KEY=STATIC,
            )
        )
        yield Shared(gateway, postgres)


@pytest.fixture
def shared(started: Shared, upstream: RunningSimulator, django_db_blocker: Any) -> Iterator[Shared]:
    with django_db_blocker.unblock():
        yield started


@contextmanager
def away(shared: Shared) -> Iterator[None]:
    shared.postgres.stop()
    try:
        yield
    finally:
        shared.postgres.start()
        # The test's own went with the server.
        shared.gateway.database(connections.close_all)
        shared.gateway.wait_until(
            lambda: httpx.get(shared.gateway.url + "/readyz").status_code == 200, "ready again"
        )


def never_seen() -> str:
    """Well-formed, so that only the database can tell."""
    return key_text.make_key()


def test_keys_that_memory_lacks_get_503_and_the_log_one_line(shared: Shared) -> None:
    gateway = shared.gateway
    known = gateway.issue_key()
    httpx.get(gateway.url + "/v1/models", headers={"x-api-key": known})
    before = gateway.log
    body = chat_body()
    with away(shared), httpx.Client(base_url=gateway.url, timeout=20) as http:
        for path, sent in {
            "/v1/chat/completions": body,
            "/v1/responses": {"model": body["model"], "input": "hello"},
            "/v1/embeddings": {"model": "x", "input": "hello"},
            "/v1/models": None,
            "/v1/models/@cf/x/y": None,
            "/v1/key": None,
        }.items():
            answer = http.request(
                "GET" if sent is None else "POST",
                path,
                json=sent,
                headers={"authorization": f"Bearer {never_seen()}"},
            )
            assert answer.status_code == 503, (path, answer.text)
            assert answer.json()["error"]["code"] == "database_unavailable", path
            assert int(answer.headers["retry-after"]) > 0
        answer = http.post("/v1/messages", json=body, headers={"x-api-key": never_seen()})
        assert (answer.status_code, answer.json()["error"]["type"]) == (529, "overloaded_error")
        # What memory knows goes on, but for what is only in the database.
        assert http.get("/v1/models", headers={"x-api-key": known}).status_code == 200
        answer = http.get("/v1/key", headers={"x-api-key": known})
        assert answer.json()["error"]["code"] == "database_unavailable"
        # Nobody needs a database to tell that this is no key.
        assert http.get("/v1/models", headers={"x-api-key": "hello"}).status_code == 401
    said = gateway.log[len(before) :]
    assert "Traceback" not in said and "Unforeseen" not in said
    assert said.count("DatabaseUnavailable: ") == 1
    assert "Connection refused" in said


def test_probes_and_metrics_say_it_in_the_servers_words(shared: Shared) -> None:
    with away(shared), httpx.Client(base_url=shared.gateway.url, timeout=20) as http:
        ready, metrics = http.get("/readyz"), http.get("/metrics")
        assert http.get("/healthz").status_code == 200
    assert ready.status_code == metrics.status_code == 503
    assert ready.json()["checks"]["database"] == "does not answer (Connection refused)"
    assert "(Connection refused)" in metrics.text
    port = re.findall(r":(\d+)/", shared.postgres.url)[0]
    assert port not in ready.text + metrics.text


def test_pages_and_admin_are_a_plain_503(shared: Shared) -> None:
    gateway = shared.gateway
    operator = gateway.database(lambda: get_user_model().objects.create_superuser("operator"))
    cookies = {settings.SESSION_COOKIE_NAME: gateway.session_of(operator)}
    paths = ("/", "/usage/", "/requests/", "/playground/", "/keys/7/", "/nowhere/")
    paths += ("/admin/", "/admin/keys/key/", "/admin/keys/requestlog/", "/admin/nowhere/")
    before = gateway.log
    with away(shared), httpx.Client(base_url=gateway.url, cookies=cookies, timeout=20) as browser:
        for path in paths:
            page = browser.get(path)
            assert page.status_code == 503, path
            assert int(page.headers["retry-after"]) > 0, path
            assert "cannot reach its database" in page.text, path
            assert "member/member.css" in page.text and "content-security-policy" in page.headers
        assert browser.get("/static/member/member.css").status_code == 200
    with away(shared), httpx.Client(base_url=gateway.url, timeout=20) as stranger:
        # Signing in reads the database too; the form itself does not.
        form = stranger.get("/accounts/login/")
        assert form.status_code == 200
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)[0]
        fields = {"csrfmiddlewaretoken": token, "username": "operator", "password": "x"}
        assert stranger.post("/accounts/login/", data=fields).status_code == 503
    said = gateway.log[len(before) :]
    assert "Traceback" not in said
    assert 1 <= said.count("A page needs the database, which cannot be used: ") <= 3


def test_commands_end_with_one_line(shared: Shared) -> None:
    commands = (
        ("list_keys",),
        ("issue_key", "name", "--owner", "somebody"),
        ("export_logs",),
        ("prune_logs", "--older-than", "90d"),
        ("check_ledger",),
        ("refresh_catalog",),
        ("migrate",),
        ("check", "--database", "default"),
    )
    with away(shared):
        for words in commands:
            ended = shared.gateway.manage(*words, check=False)
            lines = ended.stderr.strip().splitlines()
            assert ended.returncode != 0, words
            assert len(lines) == 1, (words, ended.stderr)
            assert lines[0].startswith("The database cannot be used: "), words
            assert "Connection refused" in lines[0], words


def test_a_start_without_the_database_serves_once_it_is_there(shared: Shared) -> None:
    gateway = shared.gateway
    known = gateway.issue_key()
    gateway.stop()
    with away(shared):
        gateway.start()
        for key in (known, STATIC, never_seen()):
            answer = httpx.get(gateway.url + "/v1/models", headers={"x-api-key": key})
            assert answer.status_code == 503, answer.text
        checks = httpx.get(gateway.url + "/readyz").json()["checks"]
        assert checks["database"].startswith("does not answer (")
        assert checks["catalog"] == "not read yet"
    for key in (known, STATIC):
        listed = httpx.get(gateway.url + "/v1/models", headers={"x-api-key": key})
        assert listed.status_code == 200 and listed.json()["data"]


def test_connections_that_are_used_up_are_told_in_the_servers_words(shared: Shared) -> None:
    held = []
    try:
        with pytest.raises(psycopg.OperationalError):
            while True:
                held.append(psycopg.connect(shared.postgres.url))
        answer = httpx.get(
            shared.gateway.url + "/v1/models", headers={"x-api-key": never_seen()}, timeout=20
        )
        ready = httpx.get(shared.gateway.url + "/readyz", timeout=20)
        listed = shared.gateway.manage("list_keys", check=False)
    finally:
        for connection in held:
            connection.close()
    assert answer.status_code == 503
    assert "too many clients already" in ready.json()["checks"]["database"]
    assert "too many clients already" in listed.stderr
