"""Runs each server as its own documentation recommends for production, with one worker.

Every server has the same upstream and gets the same requests. What it does for each is listed
beside its figures, since the peers do less than the gateway.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Literal, NamedTuple

from bench import peers, services
from bench.mock_upstream import ACCOUNT_ID, API_PATH, API_TOKEN, IMAGE_MODEL, MODELS
from bench.processes import end as end_process
from bench.processes import free_port, start, wait_until_answering

ROOT = Path(__file__).resolve().parent.parent


# Where a server has one key for all.
SHARED_KEY = "sk-bench"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server runs, and its upstream. `folder` is empty and is deleted afterwards."""

    folder: Path
    mock_url: str
    server_core: int
    load_core: int

    @property
    def log_path(self) -> Path:
        return self.folder / "server.log"

    @property
    def openai_base_url(self) -> str:
        """Workers AI's endpoints in OpenAI's dialect, on the mock."""
        return f"{self.mock_url}{API_PATH}/v1"


class Started(NamedTuple):
    """A process, and how long after its start it gave its first answer."""

    pid: int
    after_s: float


@dataclass(frozen=True, slots=True)
class Running:
    started: Started
    base_url: str
    headers: tuple[str, ...] = ()

    @property
    def pid(self) -> int:
        return self.started.pid

    @property
    def chat_url(self) -> str:
        return self.base_url + "/chat/completions"

    @property
    def image_url(self) -> str:
        return self.base_url + "/images/generations"


@dataclass(frozen=True, slots=True)
class Server:
    """`first_streams` is the number at which the search for the most streams begins. `is_brief`
    leaves out what is the same for all rows of its kind: memory, streams held, large bodies, TLS.
    """

    name: str
    title: str
    does: str
    first_streams: int
    is_brief: bool = False

    def missing(self) -> str:
        """Why it cannot be run here; empty when it can."""
        return ""

    def version(self) -> str:
        return ""

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        raise NotImplementedError
        yield


@contextmanager
def serving(
    place: Place,
    command: Sequence[str],
    url: str,
    *,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[Started]:
    """The process id of the command, once it answers at the URL, and the seconds until then."""
    began = time.monotonic()
    process = start(
        command,
        core=place.server_core,
        log_path=place.log_path,
        environment=environment,
        folder=folder or place.folder,
    )
    try:
        wait_until_answering(url, process, place.log_path)
        yield Started(process.pid, time.monotonic() - began)
    finally:
        end_process(process)


# --- this gateway -----------------------------------------------------------------------------


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


# --- limits -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BareForwarder(Server):
    def missing(self) -> str:
        return "" if peers.forwarder_python().exists() else "it is not installed"

    def version(self) -> str:
        return peers.forwarder_version()

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        words = ["--port", str(port), "--upstream", place.openai_base_url]
        command = [str(peers.forwarder_python()), "-m", "bench.forwarder", *words]
        environment = {"FORWARDER_UPSTREAM_TOKEN": API_TOKEN}
        with serving(place, command, url, environment=environment, folder=ROOT) as started:
            yield Running(started, url + "/v1")


NGINX_CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_body_buffer_size 64k;
  client_max_body_size 64m;
  keepalive_requests 1000000;
  upstream workers_ai {{ server {upstream}; keepalive 2000; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location /v1/ {{
      proxy_pass http://workers_ai{path}/v1/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer {token}";
      proxy_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx(Server):
    def missing(self) -> str:
        return "" if shutil.which("nginx") else "nginx is not installed"

    def version(self) -> str:
        told = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr
        return told.strip().rpartition("/")[2]

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        port = free_port()
        config = place.folder / "nginx.conf"
        config.write_text(
            NGINX_CONFIG.format(
                folder=place.folder,
                upstream=place.mock_url.removeprefix("http://"),
                path=API_PATH,
                port=port,
                token=API_TOKEN,
            )
        )
        url = f"http://127.0.0.1:{port}"
        command = ["nginx", "-p", str(place.folder), "-c", str(config)]
        with serving(place, command, url) as started:
            yield Running(started, url + "/v1")


# --- what it replaces -------------------------------------------------------------------------

WORKERD_CONFIG = """\
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    ( name = "main",
      worker = (
        modules = [ (name = "worker", esModule = embed "worker.js") ],
        compatibilityDate = "2026-11-01",
        bindings = [
          (name = "PROXY_API_KEY", text = "{key}"),
          (name = "CLOUDFLARE_API_TOKEN", text = "{token}"),
          (name = "UPSTREAM", text = "{upstream}"),
        ],
      ),
    ),
    # The mock is on this machine, where a Worker may not fetch unless it is told.
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:{port}", http = (), service = "main") ],
);
"""


@dataclass(frozen=True, slots=True)
class Worker(Server):
    """`bench/peers/worker/worker.js` in the runtime that Cloudflare's edge is made of."""

    def missing(self) -> str:
        return "" if peers.workerd_program().exists() else "it is not installed"

    def version(self) -> str:
        told = subprocess.run(
            [str(peers.workerd_program()), "--version"], capture_output=True, text=True
        )
        return told.stdout.strip()

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        port = free_port()
        shutil.copy(peers.WORKER / "worker.js", place.folder / "worker.js")
        config = place.folder / "config.capnp"
        config.write_text(
            WORKERD_CONFIG.format(
                key=SHARED_KEY, token=API_TOKEN, upstream=place.mock_url + API_PATH, port=port
            )
        )
        url = f"http://127.0.0.1:{port}"
        command = [str(peers.workerd_program()), "serve", str(config)]
        with serving(place, command, url) as started:
            yield Running(started, url + "/v1", (f"Authorization: Bearer {SHARED_KEY}",))


# --- peers ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LiteLLM(Server):
    def missing(self) -> str:
        return "" if peers.litellm_program().exists() else "it is not installed"

    def version(self) -> str:
        return peers.litellm_version()

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        port = free_port()
        config = place.folder / "litellm.yaml"
        config.write_text(litellm_config(place.openai_base_url))
        environment = {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "DO_NOT_TRACK": "1",
        }
        words = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        command = [str(peers.litellm_program()), "--config", str(config), *words]
        url = f"http://127.0.0.1:{port}"
        with serving(place, command, url, environment=environment) as started:
            yield Running(started, url + "/v1", (f"Authorization: Bearer {SHARED_KEY}",))


def litellm_config(base_url: str) -> str:
    """Lists models one by one: a wildcard would add a search to every request."""
    models = "".join(
        f'  - {{model_name: "{name}", litellm_params: {{model: "openai/{name}", '
        f'api_base: "{base_url}", api_key: "{API_TOKEN}"}}}}\n'
        for name in (*MODELS, IMAGE_MODEL)
    )
    return (
        f"model_list:\n{models}"
        f"general_settings:\n  master_key: {SHARED_KEY}\n"
        "litellm_settings:\n  drop_params: true\n"
    )


@dataclass(frozen=True, slots=True)
class Portkey(Server):
    def missing(self) -> str:
        if not shutil.which("node"):
            return "Node is not installed"
        return "" if peers.portkey_script().exists() else "it is not installed"

    def version(self) -> str:
        lock = (peers.PORTKEY_PINS / "package-lock.json").read_text()
        found = re.search(r'"node_modules/@portkey-ai/gateway": \{\s*"version": "([^"]+)"', lock)
        node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
        return f"{found[1] if found else '?'} on node {node}"

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = ["node", str(peers.portkey_script()), f"--port={port}", "--headless"]
        environment = {
            "NODE_ENV": "production",
            "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost",
        }
        with serving(place, command, url, environment=environment) as started:
            yield Running(
                started,
                url + "/v1",
                (
                    f"Authorization: Bearer {API_TOKEN}",
                    "x-portkey-provider: openai",
                    f"x-portkey-custom-host: {place.openai_base_url}",
                ),
            )


GATEWAY = Gateway(
    "gateway",
    "this gateway",
    "key, limits, strict parsing and writing of every chunk, durable row, access log",
    first_streams=400,
)
SERVERS: tuple[Server, ...] = (
    GATEWAY,
    Portkey("portkey", "Portkey", "no key check, no record", first_streams=200),
    LiteLLM("litellm", "LiteLLM", "master key, no database, no record", first_streams=16),
    Worker(
        "worker",
        "single-file Worker in workerd",
        "one shared key, parsing and writing of every chunk, no record",
        first_streams=400,
    ),
    BareForwarder("forwarder", "bare ASGI + aiohttp", "bytes only", first_streams=600),
    Nginx("nginx", "nginx", "bytes only", first_streams=800),
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


def machine() -> str:
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    name = model[1] if model else platform.machine()
    return f"{os.cpu_count()} cores of {name}, Linux {platform.release().partition('-')[0]}"
