"""This gateway, with other limits, services and settings in each row."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version as package_version
from typing import Literal

from bench import services
from bench.mock_upstream import ACCOUNT_ID, API_TOKEN
from bench.processes import free_port
from bench.server import ROOT, Place, Running, Server, serving

RATES = ("--rpm", "1000000000", "--tpm", "1000000000000", "--concurrency", "1000000")
BUDGETS = (
    *("--daily-usd", "1000000", "--monthly-usd", "1000000", "--total-usd", "1000000"),
    *("--daily-neurons", "1000000000"),
)


@dataclass(frozen=True, slots=True)
class Gateway(Server):
    """Everything on: a key with every limit, the durable ledger, the access log.

    `limits` are those of the requests' key: "all" that a key can have of itself, "none", or
    "teams": these, those of its team and of everybody, and some on its models.
    """

    workers: int = 1
    with_services: bool = False
    limits: Literal["all", "none", "teams"] = "all"
    # Spans and metrics go to the mock, which takes them.
    traced: bool = False
    # What the database holds before the start, and other settings.
    keys: int = 0
    log_rows: int = 0
    settings: dict[str, str] = field(default_factory=dict)

    def missing(self) -> str:
        return services.missing() if self.with_services else ""

    def version(self) -> str:
        names = ("django", "djangorestframework", "uvicorn", "httptools", "orjson")
        return ", ".join(f"{name} {package_version(name)}" for name in names)

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        with ExitStack() as stack:
            port = free_port()
            environment = self._environment(place, port)
            if self.with_services:
                environment["DATABASE_URL"] = stack.enter_context(
                    services.postgres(place.load_core)
                )
                environment["REDIS_URL"] = stack.enter_context(services.redis(place.load_core))
            manage(environment, "migrate", "-v0")
            manage(environment, "refresh_catalog")
            key = self._issue_key(environment)
            if self.keys or self.log_rows:
                words = ["--keys", str(self.keys), "--rows", str(self.log_rows)]
                python(environment, "-m", "bench.seed", *words)
            url = f"http://127.0.0.1:{port}"
            command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
            started = stack.enter_context(
                serving(place, command, url, environment=environment, folder=ROOT)
            )
            yield Running(started, url + "/v1", (f"Authorization: Bearer {key}",))

    def _environment(self, place: Place, port: int) -> dict[str, str]:
        return {
            **os.environ,
            **place.trusting,
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "only-for-the-benchmark-which-signs-nothing",
            "HTTPS": "off",
            "DATABASE_URL": f"sqlite:///{place.folder / 'gateway.sqlite3'}",
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT_ID,
            "CLOUDFLARE_API_TOKEN": API_TOKEN,
            "CLOUDFLARE_API_BASE_URL": place.mock_url + "/client/v4",
            "PORT": str(port),
            "WEB_CONCURRENCY": str(self.workers),
            **({"OTEL_EXPORTER_OTLP_ENDPOINT": place.mock_url} if self.traced else {}),
            **self.settings,
        }

    def _issue_key(self, environment: dict[str, str]) -> str:
        """A key whose limits are each too high to be reached."""
        words = ["issue_key", "bench", "--owner", "bench"]
        if self.limits != "none":
            words += [*RATES, *BUDGETS, "--models", "@cf/*", "--endpoints", "chat,images"]
        if self.limits == "teams":
            words += ["--limit", "rpm=1000000000 @cf/bench/*"]
            words += ["--limit", "daily-usd=1000000 @cf/bench/*"]
        key = manage(environment, *words).strip().splitlines()[-1]
        if self.limits == "teams":
            manage(environment, "issue_team", "bench", *RATES, *BUDGETS)
            manage(environment, "team_members", "bench", "--add", "bench")
            manage(environment, "change_everybody", *BUDGETS)
        return key


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
# What limits and traces cost: only CPU and latency.
VARIANTS = (
    Gateway(
        "gateway-free",
        "this gateway, a key without limits",
        "as this gateway, and nothing is counted for limits or set aside for budgets",
        first_streams=400,
        is_brief=True,
        limits="none",
    ),
    Gateway(
        "gateway-teams",
        "this gateway, limits of a team and on models too",
        "as this gateway, with as many limits of the key's team, budgets of everybody, and a rate "
        "and a budget on the model",
        first_streams=400,
        is_brief=True,
        limits="teams",
    ),
    Gateway(
        "gateway-traced",
        "this gateway, with traces and metrics",
        "as this gateway, and every request is traced and measured for a collector",
        first_streams=400,
        is_brief=True,
        traced=True,
    ),
)
TWO_WORKERS = Gateway(
    "gateway-2",
    "this gateway, 2 workers, PostgreSQL, Redis",
    "as above, with limits shared through Redis",
    first_streams=400,
    workers=2,
    with_services=True,
)
