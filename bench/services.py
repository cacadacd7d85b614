"""Runs PostgreSQL and Redis for a gateway of several workers, in a temporary folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.processes import end, free_port, start, wait_until_listening


def has_postgres() -> bool:
    return _postgres_programs() is not None


def missing() -> str:
    """What is not installed; empty when all is there."""
    lacking = [] if has_postgres() else ["PostgreSQL"]
    lacking += [] if shutil.which("redis-server") else ["Redis"]
    return f"{' and '.join(lacking)} not installed" if lacking else ""


def _postgres_programs() -> Path | None:
    # Debian keeps the server out of PATH, in a folder for each version.
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def postgres_program(name: str) -> str:
    programs = _postgres_programs()
    assert programs is not None
    return str(programs / name)


@contextmanager
def postgres(core: int) -> Iterator[str]:
    """A DATABASE_URL. PostgreSQL refuses to run as root and then runs as `postgres`."""
    programs = _postgres_programs()
    assert programs is not None
    account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
    switch: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid} if account else {}
    with tempfile.TemporaryDirectory(prefix="bench-pg-") as name:
        folder, port = Path(name), free_port()
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        initdb = [programs / "initdb", "-D", folder / "data", "-U", "gateway", "-A", "trust"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **switch)
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    *("taskset", "-c", str(core), programs / "postgres", "-D", folder / "data"),
                    *("-k", folder, "-p", str(port), "-c", "listen_addresses=127.0.0.1"),
                ],
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **switch,
            )
        try:
            wait_until_listening(f"tcp://127.0.0.1:{port}", server, folder / "log")
            yield f"postgres://gateway@127.0.0.1:{port}/postgres"
        finally:
            end(server)


@contextmanager
def redis(core: int) -> Iterator[str]:
    """A REDIS_URL."""
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as name:
        folder, port = Path(name), free_port()
        words = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
        server = start(words, core=core, log_path=folder / "log", folder=folder)
        try:
            wait_until_listening(f"tcp://127.0.0.1:{port}", server, folder / "log")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            end(server)
