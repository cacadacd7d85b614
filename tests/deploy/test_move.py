"""From SQLite to PostgreSQL, with the commands of docs/deploying.md."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.deploy.blocks import block, replaced
from tests.gateway import GatewayProcess
from tests.keys.engines import postgres_server
from tests.needs import ROOT
from tests.openai_api.chats import chat_body, new_id
from workers_ai.simulator.serve import RunningSimulator


def test_all_that_counts_moves(
    start_gateway: Callable[..., GatewayProcess],
    upstream: RunningSimulator,
    tmp_path: Path,
    django_db_blocker: Any,
) -> None:
    old = start_gateway()
    record, key = old.issue("moves", daily_budget_nano_usd=10**12)
    asked = new_id()
    headers = {"x-api-key": key, "x-request-id": asked}
    assert httpx.post(old.url + "/v1/chat/completions", json=chat_body(), headers=headers)
    cost = old.row(asked).cost_nano_usd
    old.stop()
    with postgres_server() as url, django_db_blocker.unblock():
        script = replaced(
            block("sh move"),
            {
                ".venv/bin/python": sys.executable,
                "var/all.jsonl": str(tmp_path / "all.jsonl"),
                "postgres://gateway:password@127.0.0.1:5432/gateway": url,
            },
        )
        moved = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT,
            env=old.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert moved.returncode == 0, moved.stdout + moved.stderr
        assert (tmp_path / "all.jsonl").stat().st_mode & 0o077 == 0
        new = GatewayProcess(tmp_path / "new", upstream, DATABASE_URL=url)
        new.folder.mkdir()
        try:
            new.start()
            assert new.row(asked).cost_nano_usd == cost
            headers["x-request-id"] = again = new_id()
            answer = httpx.post(new.url + "/v1/chat/completions", json=chat_body(), headers=headers)
            assert answer.status_code == 200, answer.text
            assert new.row(again).key_id == record.pk
            # The numbers go on behind those that moved.
            assert new.issue("another")[0].pk > record.pk
            used = httpx.get(new.url + "/v1/key", headers=headers).json()["data"]
            assert used["requests"]["total"] == 2
        finally:
            new.close()
