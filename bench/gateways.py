"""This gateway, with other limits, services and settings in each row."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version as package_version
from pathlib import Path

from bench import services
from bench.mock_upstream import ACCOUNT_ID, API_TOKEN
from bench.processes import free_port
from bench.server import ROOT, Place, Running, Server, Started, serving

RATES = ("--rpm", "1000000000", "--tpm", "1000000000000", "--concurrency", "1000000")
BUDGETS = (
    *("--daily-usd", "1000000", "--monthly-usd", "1000000", "--total-usd", "1000000"),
    *("--daily-neurons", "1000000000"),
)
# Every limit that a key can have of itself, each too high to be reached.
ALL_LIMITS = (*RATES, *BUDGETS, "--models", "@cf/*", "--endpoints", "chat,images")

DATABASE = "gateway.sqlite3"
SETTINGS = {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "only-for-the-benchmark-which-signs-nothing",
    "HTTPS": "off",
}


@dataclass(frozen=True, slots=True)
class Gateway(Server):
    """Everything on: a key with every limit, the durable ledger, the access log.

    `key` are the words of `issue_key` for the requests' key, `commands` are carried out after it;
    `headers` and `names` of models are those of the requests. In `settings` MOCK is the mock's URL.
    """

    workers: int = 1
    with_services: bool = False
    # Its workers share all cores with the load and the services, or have one of their own.
    on_all_cores: bool = False
    key: tuple[str, ...] = ALL_LIMITS
    commands: tuple[tuple[str, ...], ...] = ()
    headers: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    # What the database holds before the start.
    keys: int = 0
    log_rows: int = 0

    def missing(self) -> str:
        return services.missing() if self.with_services else ""

    def version(self) -> str:
        names = ("django", "djangorestframework", "uvicorn", "httptools", "orjson")
        return ", ".join(f"{name} {package_version(name)}" for name in names)

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        if self.on_all_cores:
            place = replace(place, server_core=f"{place.server_core},{place.load_core}")
        with ExitStack() as stack:
            environment = self.environment(place)
            environment |= self.services(place, stack)
            key = self.prepared(place, environment)
            headers = (f"Authorization: Bearer {key}", *self.headers)
            started, url = stack.enter_context(self.one_gateway(place, environment))
            yield Running(started, url + "/v1", headers, names=self.names)

    def environment(self, place: Place) -> dict[str, str]:
        mock = place.mock_url
        settings = {name: text.replace("MOCK", mock) for name, text in self.settings.items()}
        return {
            **os.environ,
            **place.trusting,
            **SETTINGS,
            "DATABASE_URL": f"sqlite:///{place.folder / DATABASE}",
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT_ID,
            "CLOUDFLARE_API_TOKEN": API_TOKEN,
            "CLOUDFLARE_API_BASE_URL": mock + "/client/v4",
            "WEB_CONCURRENCY": str(self.workers),
            **settings,
        }

    def services(self, place: Place, stack: ExitStack) -> dict[str, str]:
        """The settings that lead to PostgreSQL and Redis, on the core of the load."""
        if not self.with_services:
            return {}
        return {
            "DATABASE_URL": stack.enter_context(services.postgres(place.load_core)),
            "REDIS_URL": stack.enter_context(services.redis(place.load_core)),
        }

    def prepared(self, place: Place, environment: dict[str, str]) -> str:
        """A key, once the database has all that it should."""
        if self.with_services:
            manage(environment, "migrate", "-v0")
        else:
            (place.folder / DATABASE).write_bytes(empty_database())
        manage(environment, "refresh_catalog")
        words = ["issue_key", "bench", "--owner", "bench", *self.key]
        key = manage(environment, *words).strip().splitlines()[-1]
        for command in self.commands:
            manage(environment, *command)
        if self.keys or self.log_rows:
            rows = ["--keys", str(self.keys), "--rows", str(self.log_rows)]
            python(environment, "-m", "bench.seed", *rows)
        return key

    @contextmanager
    def one_gateway(
        self, place: Place, environment: dict[str, str]
    ) -> Iterator[tuple[Started, str]]:
        """A gateway on a port of its own, and its URL."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
        environment = {**environment, "PORT": str(port)}
        with serving(place, command, url, environment=environment, folder=ROOT) as started:
            yield started, url


@cache
def empty_database() -> bytes:
    """SQLite's file with all tables, made once for all rows."""
    with tempfile.TemporaryDirectory(prefix="bench-database-") as name:
        file = Path(name) / DATABASE
        url = f"sqlite:///{file}"
        manage({**os.environ, **SETTINGS, "DATABASE_URL": url}, "migrate", "-v0")
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return file.read_bytes()


def manage(environment: dict[str, str], *words: str) -> str:
    return python(environment, "manage.py", *words)


def python(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed: {done.stderr[-500:]}")
    return done.stdout


GATEWAY = Gateway(
    "gateway",
    "this gateway",
    "key, limits, strict parsing and writing of every chunk, durable row, access log",
    first_streams=400,
)
TWO_WORKERS = Gateway(
    "gateway-2",
    "this gateway, 2 workers, PostgreSQL, Redis",
    "as above, with limits shared through Redis",
    first_streams=400,
    workers=2,
    with_services=True,
)
# Here the load, the mock and the services run on the workers' cores too, so that only CPU is
# measured. It tells what workers that run at the same time cost each other.
ON_ALL_CORES = tuple(
    Gateway(
        f"gateway-{number}-cores",
        f"this gateway, {number} workers on two cores, PostgreSQL, Redis",
        "as above, and the workers run at the same time, on the cores of the load as well",
        first_streams=400,
        extent="cpu",
        workers=number,
        with_services=True,
        on_all_cores=True,
    )
    for number in (2, 4)
)
