"""Real Redis and PostgreSQL servers for tests, in temporary folders, ended by their pid."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests import needs
from tests.made_once import made_once

START_S = 60
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def redis_server() -> Iterator["RedisServer"]:
    program = needs.program("redis-server")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(program, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


class RedisServer:
    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        words = [self._program, "--port", "0", "--unixsocket", str(self._socket), *options]
        words += ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _until_connects(self._socket, self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._socket.unlink(missing_ok=True)


@contextmanager
def postgres_server(*, migrated: bool = False) -> Iterator[str]:
    """Yields a DATABASE_URL."""
    with postgres_process(migrated=migrated) as server:
        yield server.url


@contextmanager
def postgres_process(*, migrated: bool = False) -> Iterator["PostgresServer"]:
    """A server with an empty database, or with one that has the gateway's tables."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        server = PostgresServer(folder)
        server.copy(
            made_once("postgresql-migrated", _migrated)
            if migrated
            else made_once("postgresql-empty", _empty)
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _empty(folder: Path) -> None:
    folder.mkdir()
    PostgresServer(str(folder)).initialise()


def _migrated(folder: Path) -> None:
    folder.mkdir()
    server = PostgresServer(str(folder))
    server.copy(made_once("postgresql-empty", _empty))
    server.start()
    try:
        environment = {"DATABASE_URL": server.url, "DJANGO_SETTINGS_MODULE": "proxysite.settings"}
        migrated = finished("manage", environment, "migrate", "-v0")
        assert migrated.returncode == 0, migrated.stdout
    finally:
        server.stop()


@contextmanager
def pooled(server: "PostgresServer") -> Iterator[str]:
    """PgBouncer in transaction mode before `server`; yields a DATABASE_URL.

    Each transaction gets the next of four connections, so that whatever is expected to outlive one
    is missed at once; with PgBouncer's own choice it would be missed under load alone.
    """
    program = needs.program("pgbouncer")
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        parts = urlsplit(server.url)
        settings = Path(folder) / "pgbouncer.ini"
        settings.write_text(
            f"""
            [databases]
            postgres = host={parts.hostname} port={parts.port} user={parts.username}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = 4
            min_pool_size = 4
            server_round_robin = 1
            """.replace("  ", "")
        )
        # As nobody where the tests run as root, which it refuses to be.
        as_user = {"user": "nobody"} if os.getuid() == 0 else {}
        Path(folder).chmod(0o755)
        process = subprocess.Popen([program, "-q", str(settings)], **as_user)  # type: ignore[call-overload]
        url = f"postgres://gateway@127.0.0.1:{port}/postgres"
        try:
            _until_answers(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(10)


class PostgresServer:
    """Runs as `postgres` where the tests run as root."""

    def __init__(self, folder: str) -> None:
        self._program = needs.program("postgres")
        self._folder = folder
        self._data = f"{folder}/data"
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, int] = {}
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid}
        self.url = f"postgres://gateway@127.0.0.1:{self._port}/postgres"

    def initialise(self) -> None:
        subprocess.run(
            [
                *(needs.program("initdb"), "-D", self._data, "-U", "gateway", "-A", "trust", "-N"),
                # A segment is written in full however little goes into it.
                *("--wal-segsize", "1"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            **self._as_user,
        )

    def copy(self, stopped: Path) -> None:
        """The files of a server that is stopped, by its folder."""
        subprocess.run(["cp", "-a", str(stopped / "data"), self._data], check=True)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *(self._program, "-D", self._data, "-k", self._folder),
                *("-p", str(self._port), "-c", "listen_addresses=127.0.0.1"),
                *("-c", "shared_buffers=16MB", "-c", "fsync=off"),
            ],
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            **self._as_user,
        )
        _until_answers(self.url, self._process)

    def freeze(self) -> None:
        """Takes connections and says nothing, on open ones neither, until `thaw`."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            os.kill(each, number)

    def stop(self) -> None:
        """Cuts every connection, as a restart for an upgrade does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(10)


def _until_connects(path: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
                return
            except OSError:
                assert process.poll() is None, "the server ended while starting"
        pause()
    raise AssertionError(f"nothing listens on {path}")


def _until_answers(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            assert process.poll() is None and time.monotonic() < deadline
            pause()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pause() -> None:
    threading.Event().wait(0.02)


def python(module: str, environment: dict[str, str], *words: str) -> "subprocess.Popen[str]":
    """A process of its own, which reads its settings from `environment`."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *words], stdin=subprocess.PIPE, **_process(environment)
    )


def finished(
    module: str, environment: dict[str, str], *words: str
) -> "subprocess.CompletedProcess[str]":
    """Such a process at its end. One that takes longer than a busy machine would is killed."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        stdin=subprocess.DEVNULL,
        timeout=600,
        **_process(environment),
    )


def _process(environment: dict[str, str]) -> dict[str, Any]:
    env = {**os.environ, **environment}
    return {"env": env, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
