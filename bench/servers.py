"""Runs each server as its own documentation recommends for production, with one worker.

Every server has the same upstream and gets the same requests. What it does for each is listed
beside its figures, since the peers do less than the gateway.
"""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import peers
from bench.features import FEATURES
from bench.gateways import GATEWAY, ON_ALL_CORES, TWO_WORKERS
from bench.hosts import THREE_HOSTS
from bench.litellm import LITELLM, LITELLM_OF_A_TEAM
from bench.mock_upstream import API_PATH, API_TOKEN
from bench.processes import free_port
from bench.server import ROOT, SHARED_KEY, Place, Running, Server, serving

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
      proxy_pass {scheme}://workers_ai{path}/v1/;
      {trust}
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer {token}";
      proxy_buffering off;
    }}
  }}
}}
"""


NGINX_TRUST = (
    "proxy_ssl_verify on; proxy_ssl_trusted_certificate {}; proxy_ssl_name localhost; "
    "proxy_ssl_server_name on;"
)


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
                scheme=place.mock_url.partition("://")[0],
                upstream=place.mock_url.partition("://")[2],
                trust=NGINX_TRUST.format(place.authority) if place.authority else "",
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
    ( name = "internet",
      network = (
        allow = ["public", "private"],
        tlsOptions = (trustBrowserCas = true, trustedCertificates = [{trust}]),
      ),
    ),
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
        if place.authority:
            shutil.copy(place.authority, place.folder / "authority.pem")
        config = place.folder / "config.capnp"
        config.write_text(
            WORKERD_CONFIG.format(
                key=SHARED_KEY,
                token=API_TOKEN,
                upstream=place.mock_url + API_PATH,
                port=port,
                trust='embed "authority.pem"' if place.authority else "",
            )
        )
        url = f"http://127.0.0.1:{port}"
        command = [str(peers.workerd_program()), "serve", str(config)]
        with serving(place, command, url) as started:
            yield Running(started, url + "/v1", (f"Authorization: Bearer {SHARED_KEY}",))


# --- peers ------------------------------------------------------------------------------------


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


SERVERS: tuple[Server, ...] = (
    GATEWAY,
    Portkey("portkey", "Portkey", "no key check, no record", first_streams=200),
    LITELLM,
    Worker(
        "worker",
        "single-file Worker in workerd",
        "one shared key, parsing and writing of every chunk, no record",
        first_streams=400,
    ),
    BareForwarder("forwarder", "bare ASGI + aiohttp", "bytes only", first_streams=600),
    Nginx("nginx", "nginx", "bytes only", first_streams=800, once=True),
)
# Beside them in a full run.
MORE: tuple[Server, ...] = (LITELLM_OF_A_TEAM, TWO_WORKERS, THREE_HOSTS, *ON_ALL_CORES, *FEATURES)


def machine() -> str:
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    name = model[1] if model else platform.machine()
    return f"{os.cpu_count()} cores of {name}, Linux {platform.release().partition('-')[0]}"
