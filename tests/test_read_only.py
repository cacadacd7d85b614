"""Everything read-only but memory, as with Kubernetes' readOnlyRootFilesystem."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import GatewayProcess, prepare_database
from tests.keys.engines import postgres_server
from tests.needs import ROOT
from tests.openai_api.chats import chat_body
from workers_ai.simulator.serve import RunningSimulator

# A mount namespace of its own, whose file systems of disks are then read-only; /tmp is one of them.
READ_ONLY = """
set -e
mount --make-rprivate /
mount --bind / /
for at in / /tmp /var /run /work; do
    ! mountpoint -q $at || mount -o remount,bind,ro $at
done
! touch /tmp/written 2>/dev/null
exec "$@"
"""


def read_only(*words: str) -> list[str]:
    return ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", *words]


def test_without_memory_either_one_line_says_what_is_missing() -> None:
    if subprocess.run(read_only("true")).returncode:
        pytest.skip("a read-only root takes a mount namespace, which this account may not make")
    without = 'mount -t tmpfs -o ro tmpfs /dev/shm; exec "$@"'
    starting = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
    result = subprocess.run(
        read_only("sh", "-c", without, "sh", *starting),
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    said = "No folder can be written: mount /dev/shm, or set TMPDIR to one that can.\n"
    assert result.stderr == said


def test_it_serves_with_nothing_to_write_on_but_memory(
    upstream: RunningSimulator, tmp_path: Path, django_db_blocker: Any
) -> None:
    if not Path("/dev/shm").is_dir() or subprocess.run(read_only("true")).returncode:
        pytest.skip("a read-only root takes a mount namespace, which this account may not make")
    with django_db_blocker.unblock(), postgres_server(migrated=True) as url:
        gateway = GatewayProcess(tmp_path, upstream, DATABASE_URL=url)
        prepare_database(gateway, refresh=True, migrated=True)
        key = gateway.issue_key()
        environment = {**gateway.environment, "PYTHONDONTWRITEBYTECODE": "1"}
        serving = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
        with gateway.log_path.open("ab") as log:
            process = subprocess.Popen(
                read_only(*serving), cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        try:
            gateway.wait_until(
                lambda: process.poll() is None and ready(gateway.url), "the gateway is ready"
            )
            answer = httpx.post(
                gateway.url + "/v1/chat/completions",
                json=chat_body("hello"),
                headers={"x-api-key": key},
            )
            assert answer.status_code == 200, answer.text
            # More than Django keeps in memory: a file is made for it.
            page = httpx.post(gateway.url + "/accounts/login/", content=b"x" * 3_000_000)
            assert page.status_code in (403, 413)
            assert "Traceback" not in gateway.log
        finally:
            process.terminate()
            process.wait(40)
            gateway.close()
    assert not os.path.exists("/tmp/written")  # noqa: PTH110


def ready(url: str) -> bool:
    try:
        return httpx.get(url + "/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
