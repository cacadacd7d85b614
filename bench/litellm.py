"""LiteLLM's proxy: bare, and with the database and the keys that a team would give it."""

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench import peers, services
from bench.mock_upstream import API_TOKEN, IMAGE_MODEL, MODELS
from bench.processes import free_port
from bench.server import SHARED_KEY, Place, Running, Server, Started, serving

# As the mock's catalog has it, so that there is something to add up.
PRICES = {"input_cost_per_token": 1e-7, "output_cost_per_token": 4e-7}
BUDGET = {"max_budget": 1_000_000, "budget_duration": "30d"}
RATES = {"rpm_limit": 1_000_000_000, "tpm_limit": 1_000_000_000, "max_parallel_requests": 1_000_000}


@dataclass(frozen=True, slots=True)
class LiteLLM(Server):
    def missing(self) -> str:
        return "" if peers.litellm_program().exists() else "it is not installed"

    def version(self) -> str:
        return peers.litellm_version()

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        with litellm(place, config(place.openai_base_url), {}) as (started, url):
            yield Running(started, url + "/v1", (f"Authorization: Bearer {SHARED_KEY}",))


@dataclass(frozen=True, slots=True)
class LiteLLMOfATeam(LiteLLM):
    """With PostgreSQL and a virtual key that has a budget and rates.

    Prisma's engine is on the core of the load, and its CPU is not counted: a team's would be the
    native one, which takes less.
    """

    def missing(self) -> str:
        if not services.has_postgres():
            return "PostgreSQL is not installed"
        if not peers.prisma_engine().exists():
            return "Prisma, by which LiteLLM asks its database, is not installed"
        return LiteLLM.missing(self)

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        with services.postgres(place.load_core) as database_url:
            make_tables(database_url)
            engine = EngineProgram(place)
            environment = {
                # It looks there for Prisma's command, and without that uses no database.
                "PATH": f"{peers.litellm_program().parent}{os.pathsep}{os.environ['PATH']}",
                "DATABASE_URL": database_url.replace("postgres://", "postgresql://", 1),
                # The tables are there; without this it would look for a native engine to make them.
                "DISABLE_SCHEMA_UPDATE": "True",
                "PRISMA_QUERY_ENGINE_BINARY": str(engine.program),
                "LITELLM_SALT_KEY": "sk-salt-of-the-benchmark",
            }
            text = config(place.openai_base_url, writes_every_s=1)
            with litellm(place, text, environment) as (started, url):
                headers = (f"Authorization: Bearer {virtual_key(url)}",)
                yield Running(started, url + "/v1", headers, apart=(engine.pid(),))


@contextmanager
def litellm(place: Place, text: str, environment: dict[str, str]) -> Iterator[tuple[Started, str]]:
    port = free_port()
    file = place.folder / "litellm.yaml"
    file.write_text(text)
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "DO_NOT_TRACK": "1",
        **environment,
    }
    words = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    command = [str(peers.litellm_program()), "--config", str(file), *words]
    url = f"http://127.0.0.1:{port}"
    with serving(place, command, url, environment=environment) as started:
        yield started, url


def config(base_url: str, writes_every_s: int = 0) -> str:
    """JSON, which is YAML too. Lists models one by one: a wildcard would add a search to every
    request."""
    upstream = {"api_base": base_url, "api_key": API_TOKEN, **PRICES}
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", **upstream}}
        for name in (*MODELS, IMAGE_MODEL)
    ]
    general: dict[str, Any] = {"master_key": SHARED_KEY}
    if writes_every_s:
        general["proxy_batch_write_at"] = writes_every_s
    settings = {"general_settings": general, "litellm_settings": {"drop_params": True}}
    return json.dumps({"model_list": models, **settings})


def make_tables(database_url: str) -> None:
    psql = services.postgres_program("psql")
    files = [word for path in peers.litellm_migrations() for word in ("-f", str(path))]
    options = ["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1"]
    done = subprocess.run([psql, *options, database_url, *files], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"LiteLLM's tables could not be made: {done.stderr[-300:]}")


class EngineProgram:
    """What Prisma's client starts: the engine, on another core, which tells its process id."""

    def __init__(self, place: Place) -> None:
        self.program = place.folder / "prisma-engine"
        self._pid_file = place.folder / "prisma-engine.pid"
        engine = f'taskset -c {place.load_core} {shutil.which("node")} "{peers.prisma_engine()}"'
        self.program.write_text(f'#!/bin/sh\necho $$ >"{self._pid_file}"\nexec {engine} "$@"\n')
        self.program.chmod(0o755)

    def pid(self) -> int:
        return int(self._pid_file.read_text())


def virtual_key(url: str) -> str:
    """A key with a budget and rates too high to be reached."""
    return str(_told(url + "/key/generate", {"key_alias": "bench", **BUDGET, **RATES})["key"])


def _told(url: str, asked: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {SHARED_KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(asked).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


LITELLM = LiteLLM(
    "litellm", "LiteLLM", "master key, no database, no record", first_streams=16, once=True
)
LITELLM_OF_A_TEAM = LiteLLMOfATeam(
    "litellm-team",
    "LiteLLM, PostgreSQL, virtual keys",
    "a key with a budget and rates, and a row for each request, written every few "
    "seconds instead of every 10 so that the window has its share of them; what Prisma's engine "
    "takes is not counted, since it runs as WebAssembly here",
    first_streams=16,
    extent="cpu",
    once=True,
    window_s=12,
)
