"""A real gateway for tests: gunicorn on a free port, its own database, the simulator upstream.

The test process looks into the gateway's database through `GatewayProcess.database`, on a thread
whose default connection is that database, so that it does not disturb pytest-django's own.
"""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.db.utils import ConnectionHandler
from django.test import Client

from keys.models import Key, RequestLog
from proxysite.setting_readers.database import database
from tests.made_once import made_once
from workers_ai.simulator.serve import RunningSimulator

ROOT = Path(__file__).resolve().parent.parent
# Bounds for a machine that does much besides; what is waited for comes far sooner.
START_S = 60.0
ROW_S = 20.0
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def manage(
    code: Path, environment: dict[str, str], *words: str, check: bool = True
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=code,
        env=environment,
        capture_output=True,
        text=True,
        check=check,
        timeout=120,
    )


class GatewayProcess:
    """One running gateway. `url` has no `/v1`; `environment` is what it was started with,
    `through` a command that starts others, and `code` the folder of the gateway's own."""

    def __init__(
        self,
        folder: Path,
        upstream: RunningSimulator,
        through: Sequence[str] = (),
        *,
        code: Path = ROOT,
        **settings: str,
    ) -> None:
        self.folder = folder
        self._through = through
        self._code = code
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = folder / "gateway.log"
        self.database_url = settings.pop("DATABASE_URL", f"sqlite:///{folder / 'gateway.sqlite3'}")
        self.environment = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "CLOUDFLARE_ACCOUNT_ID": upstream.account_id,
            "CLOUDFLARE_API_TOKEN": upstream.api_token,
            "CLOUDFLARE_API_BASE_URL": upstream.base_url,
            "PORT": str(self.port),
            "MAX_IMAGE_COUNT": "4",
            "STOP_GRACE": "3",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._database_thread = ThreadPoolExecutor(1, "gateway-database")
        self._database_thread.submit(self._use_own_database).result()

    # --- life ---------------------------------------------------------------------------------

    def manage(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """`manage.py` in the gateway's environment."""
        return manage(self._code, self.environment, *words, check=check)

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._through, sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"],
                cwd=self._code,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_until(lambda: self._answers("/healthz"), "the gateway answers")

    def stop(self, timeout_s: float = 40) -> int:
        """SIGTERM, as an operator's service manager sends it; the exit status."""
        self.terminate()
        return self.wait(timeout_s)

    def terminate(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float = 40) -> int:
        """Until it has ended; the exit status."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL for the master and its workers at once: nobody gets to say goodbye."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)

    def kill_master(self) -> None:
        """SIGKILL for the master alone, as the kernel does it where memory is short."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    @property
    def worker_pids(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(child) for child in children.read_text().split()]

    def close(self) -> None:
        self.kill()
        self._database_thread.submit(connections.close_all).result()
        self._database_thread.shutdown()

    @property
    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def _answers(self, path: str) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the gateway ended while starting:\n{self.log}")
        try:
            return httpx.get(self.url + path, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def wait_until(self, happened: Callable[[], Any], what: str, timeout_s: float = START_S) -> Any:
        """Polls until `happened` gives something true; for effects that come by themselves."""
        deadline = time.monotonic() + timeout_s
        pause = _Pause()
        while time.monotonic() < deadline:
            found = happened()
            if found:
                return found
            pause()
        raise AssertionError(f"not within {timeout_s:g} s: {what}\n{self.log[-3000:]}")

    # --- its database -------------------------------------------------------------------------

    def _use_own_database(self) -> None:
        handler = ConnectionHandler({"default": database(self.database_url)})
        connections["default"] = handler["default"]

    def database(self, work: Callable[[], T]) -> T:
        """Runs `work`, whose ORM calls then see the gateway's database."""
        try:
            return self._database_thread.submit(_with_its_content_types, work).result(60)
        finally:
            ContentType.objects.clear_cache()

    def issue_key(self, name: str = "test", owner: str = "tester", **fields: Any) -> str:
        """A new key's text; `fields` are those of the model, such as `requests_per_minute`."""
        return self.issue(name, owner, **fields)[1]

    def issue(self, name: str = "test", owner: str = "tester", **fields: Any) -> tuple[Key, str]:
        def make() -> tuple[Key, str]:
            user, _ = get_user_model().objects.get_or_create(username=owner)
            return Key.issue(name=name, owner=user, **fields)

        return self.database(make)

    def session_of(self, user: Any) -> str:
        """The session cookie of a browser that this user has signed in with."""

        def begin() -> str:
            browser = Client()
            browser.force_login(user)
            return str(browser.cookies[django_settings.SESSION_COOKIE_NAME].value)

        return self.database(begin)

    def row(self, request_id: str, *, timeout_s: float = ROW_S) -> RequestLog:
        """The ledger row of a request; waits for rows that nobody had to wait for."""
        found = self.wait_until(
            lambda: self.rows(request_id=request_id), f"a row of {request_id}", timeout_s
        )
        assert len(found) == 1, f"{len(found)} rows of one request"
        return found[0]

    def rows(self, **conditions: Any) -> list[RequestLog]:
        return self.database(lambda: list(RequestLog.objects.filter(**conditions).order_by("id")))


def _with_its_content_types(work: Callable[[], T]) -> T:
    # Django remembers their ids for a process, and two databases may have others.
    ContentType.objects.clear_cache()
    return work()


class _Pause:
    """Waits a little longer each time, so that polling costs nothing and still reacts fast."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._next_s = 0.01

    def __call__(self) -> None:
        self._event.wait(self._next_s)
        self._next_s = min(0.25, self._next_s * 1.5)


@contextmanager
def running_gateway(
    folder: Path,
    upstream: RunningSimulator,
    *,
    refresh: bool = True,
    migrated: bool = False,
    through: Sequence[str] = (),
    **settings: str,
) -> Iterator[GatewayProcess]:
    """A gateway with a migrated database and a fresh catalog, until the block ends; `migrated` says
    that the database has its tables."""
    folder.mkdir(parents=True, exist_ok=True)
    gateway = GatewayProcess(folder, upstream, through, **settings)
    try:
        prepare_database(gateway, refresh=refresh, migrated=migrated)
        gateway.start()
        yield gateway
    finally:
        gateway.close()


def prepare_database(gateway: GatewayProcess, *, refresh: bool, migrated: bool = False) -> None:
    """Migrates, and reads the catalog. Once in a run for SQLite: other gateways get a copy of that
    file, as every simulator of the tests lists the same models."""
    if gateway.database_url.startswith("sqlite:///"):
        template = (filled_sqlite if refresh else migrated_sqlite)(gateway.environment)
        shutil.copyfile(template, gateway.database_url.removeprefix("sqlite:///"))
        return
    if not migrated:
        gateway.manage("migrate", "-v0")
    if refresh:
        gateway.manage("refresh_catalog")


def migrated_sqlite(environment: dict[str, str]) -> Path:
    """A file with the gateway's tables."""

    def migrate(file: Path) -> None:
        _work_on(file, environment, "migrate", "-v0")

    return made_once(f"migrated-{_tables(environment)}.sqlite3", migrate)


def filled_sqlite(environment: dict[str, str]) -> Path:
    """A file with the gateway's tables and the simulator's catalog."""

    def fill(file: Path) -> None:
        shutil.copyfile(migrated_sqlite(environment), file)
        _work_on(file, environment, "refresh_catalog")

    return made_once(f"filled-{_tables(environment)}.sqlite3", fill)


def _tables(environment: dict[str, str]) -> str:
    """Single sign-on has tables of its own."""
    return "sso" if environment.get("OIDC_ISSUER") else "usual"


def _work_on(file: Path, environment: dict[str, str], *words: str) -> None:
    manage(ROOT, {**environment, "DATABASE_URL": f"sqlite:///{file}"}, *words)
    with closing(sqlite3.connect(file)) as database:
        # Into the one file, which is all that is copied.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
