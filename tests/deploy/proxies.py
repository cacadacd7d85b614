"""Real proxies with the configuration that docs/deploying.md prints, in front of a gateway."""

import json
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.deploy.blocks import block, replaced
from tests.gateway import START_S, free_port
from tests.needs import program

NAME = "gateway.example.com"


@dataclass
class Proxy:
    """Where it listens. `http_port` is the one that leads to https, where there is one."""

    port: int
    is_https: bool
    http_port: int | None = None
    path: str = ""


@contextmanager
def certificate(folder: Path) -> Iterator[tuple[Path, Path]]:
    chain, key = folder / "fullchain.pem", folder / "privkey.pem"
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"),
            *("-addext", f"subjectAltName=DNS:{NAME}", "-keyout", str(key), "-out", str(chain)),
        ],
        check=True,
        capture_output=True,
    )
    yield chain, key


@contextmanager
def running(words: list[str], log: Path, port: int, **environment: str) -> Iterator[None]:
    """A program until the block ends; the block begins when it listens."""
    with log.open("w") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env=environment or None)
    try:
        deadline = time.monotonic() + START_S
        pause = threading.Event()
        while not listens(port):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            pause.wait(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- nginx ------------------------------------------------------------------------------------


@contextmanager
def nginx(folder: Path, site: str, port: int) -> Iterator[None]:
    """`site` is what lies in conf.d; the rest is what Debian's nginx.conf is about."""
    paths = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\n"
        f"events {{}}\nhttp {{\n    access_log off;\n{paths}{site}\n}}\n"
    )
    words = [program("nginx"), "-e", "/dev/stderr", "-c", str(folder / "nginx.conf")]
    with running(words, folder / "nginx.log", port):
        yield


@contextmanager
def nginx_tls(folder: Path, gateway_port: int) -> Iterator[Proxy]:
    port, http_port = free_port(), free_port()
    with certificate(folder) as (chain, key):
        site = replaced(
            block("nginx tls"),
            {
                "    listen [::]:80;\n": "",
                "    listen [::]:443 ssl;\n": "",
                "listen 80;": f"listen 127.0.0.1:{http_port};",
                "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
                "/etc/letsencrypt/live/gateway.example.com/fullchain.pem": str(chain),
                "/etc/letsencrypt/live/gateway.example.com/privkey.pem": str(key),
                "127.0.0.1:8000": f"127.0.0.1:{gateway_port}",
            },
        )
        with nginx(folder, site, port):
            yield Proxy(port, is_https=True, http_port=http_port)


@contextmanager
def nginx_plain(folder: Path, gateway_port: int) -> Iterator[Proxy]:
    port = free_port()
    site = replaced(
        block("nginx plain"),
        {
            "    listen [::]:80;\n": "",
            "listen 80;": f"listen 127.0.0.1:{port};",
            "127.0.0.1:8000": f"127.0.0.1:{gateway_port}",
        },
    )
    with nginx(folder, site, port):
        yield Proxy(port, is_https=False)


@contextmanager
def nginx_below(folder: Path, gateway_port: int) -> Iterator[Proxy]:
    port = free_port()
    location = replaced(block("nginx below"), {"127.0.0.1:8000": f"127.0.0.1:{gateway_port}"})
    site = f"server {{ listen 127.0.0.1:{port}; server_name {NAME};\n{location}\n}}"
    with nginx(folder, site, port):
        yield Proxy(port, is_https=False, path="/ai")


# --- Caddy ------------------------------------------------------------------------------------


@contextmanager
def caddy(folder: Path, gateway_port: int) -> Iterator[Proxy]:
    port = free_port()
    with certificate(folder) as (chain, key):
        site = replaced(
            block("caddyfile"),
            {
                f"{NAME} {{\n": f"https://{NAME}:{port} {{\n    tls {chain} {key}\n",
                "127.0.0.1:8000": f"127.0.0.1:{gateway_port}",
            },
        )
        conf = folder / "Caddyfile"
        conf.write_text(f"{{\n    admin off\n    auto_https disable_redirects\n}}\n{site}")
        words = [program("caddy"), "run", "--config", str(conf), "--adapter", "caddyfile"]
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": "/usr/bin:/bin"}
        with running(words, folder / "caddy.log", port, **home):
            yield Proxy(port, is_https=True)


# --- HAProxy ----------------------------------------------------------------------------------


@contextmanager
def haproxy(folder: Path, gateway_port: int) -> Iterator[Proxy]:
    port, http_port = free_port(), free_port()
    with certificate(folder) as (chain, key):
        together = folder / "gateway.pem"
        together.write_text(chain.read_text() + key.read_text())
        conf = folder / "haproxy.cfg"
        conf.write_text(
            replaced(
                block("haproxy"),
                {
                    ":::80 v4v6": f"127.0.0.1:{http_port}",
                    ":::443 v4v6": f"127.0.0.1:{port}",
                    "/etc/haproxy/gateway.example.com.pem": str(together),
                    "127.0.0.1:8000": f"127.0.0.1:{gateway_port}",
                },
            )
        )
        with running([program("haproxy"), "-db", "-f", str(conf)], folder / "haproxy.log", port):
            yield Proxy(port, is_https=True, http_port=http_port)


# --- Traefik ----------------------------------------------------------------------------------


@contextmanager
def traefik(folder: Path, gateway_port: int) -> Iterator[Proxy]:
    """It reads the labels from Docker, which a few answers on a socket stand in for."""
    port = free_port()
    labels = yaml.safe_load(block("yaml traefik"))["services"]["gateway"]["labels"]
    [port_label] = [name for name in labels if name.endswith("server.port")]
    labels = {**labels, port_label: str(gateway_port)}
    # Nobody issues a certificate here: Traefik's own serves.
    del labels["traefik.http.routers.gateway.tls.certresolver"]
    with docker_with(labels, folder / "docker.sock") as endpoint:
        words = [
            program("traefik"),
            f"--entryPoints.websecure.address=127.0.0.1:{port}",
            f"--providers.docker.endpoint={endpoint}",
            "--providers.docker.exposedByDefault=false",
            "--log.level=INFO",
        ]
        with running(words, folder / "traefik.log", port, HOME=str(folder)):
            yield Proxy(port, is_https=True)


class _Docker(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    answers: dict[str, Any]


class _DockersAnswer(BaseHTTPRequestHandler):
    server: _Docker

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        path = "/" + path.split("/", 2)[2] if path.startswith("/v1.") else path
        if path == "/events":
            # None ever happens. The stream ends with the program that listens.
            self.send_response(200)
            self.end_headers()
            self.rfile.read(1)
            return
        answer = self.server.answers.get(path)
        body = json.dumps(answer).encode() if answer is not None else b"{}"
        self.send_response(200 if answer is not None else 404)
        self.send_header("Api-Version", "1.47")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Api-Version", "1.47")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self) -> str:
        return "docker"

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@contextmanager
def docker_with(labels: dict[str, str], path: Path) -> Iterator[str]:
    """Docker's API with one running container: this machine, in the network `proxy`."""
    container = {
        "Id": "c" * 64,
        "Names": ["/gateway"],
        "Name": "/gateway",
        "State": {"Status": "running", "Running": True},
        "Config": {"Labels": labels},
        "HostConfig": {"NetworkMode": "proxy"},
        "NetworkSettings": {
            "Ports": {},
            "Networks": {"proxy": {"NetworkID": "n" * 64, "IPAddress": "127.0.0.1"}},
        },
    }
    listed = {**container, "Labels": labels, "State": "running"}
    server = _Docker(str(path), _DockersAnswer)
    server.answers = {
        "/_ping": "OK",
        "/version": {"Version": "27.0.0", "ApiVersion": "1.47", "MinAPIVersion": "1.24"},
        "/info": {"Name": "docker"},
        "/containers/json": [listed],
        f"/containers/{container['Id']}/json": container,
    }
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"unix://{path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def unchecked() -> ssl.SSLContext:
    """TLS without a look at who is there: the names are not this machine's."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


PROXIES = {
    "nginx with TLS": nginx_tls,
    "nginx without TLS": nginx_plain,
    "nginx below a path": nginx_below,
    "Caddy": caddy,
    "HAProxy": haproxy,
    "Traefik": traefik,
}


@contextmanager
def proxy(name: str, folder: Path, gateway_port: int) -> Iterator[Proxy]:
    with ExitStack() as stack:
        yield stack.enter_context(PROXIES[name](folder, gateway_port))
