"""The container files: what they name exists, nothing is open or guessable by default."""

import ipaddress
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.gateway import START_S, GatewayProcess, free_port, running_gateway
from tests.needs import ROOT, program
from tests.openai_api.chats import chat_body
from workers_ai.simulator.serve import RunningSimulator

BALANCER = (ROOT / "balancer.conf").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().split()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(COMPOSE)
    return read


def test_the_services_are_those_of_the_readme(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {
        *("gateway", "balancer", "migrate", "refresh", "postgres", "redis")
    }


def test_the_gateway_waits_for_the_migration_and_that_for_the_database(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    finished = {"condition": "service_completed_successfully"}
    assert services["gateway"]["depends_on"]["migrate"] == finished
    assert services["refresh"]["depends_on"]["migrate"] == finished
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_each_lasting_service_has_a_health_check(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert "test" in services["postgres"]["healthcheck"]
    assert "test" in services["redis"]["healthcheck"]
    assert "test" in services["balancer"]["healthcheck"]
    # The image brings the gateway's, which the two services that serve nothing turn off.
    assert "healthcheck" not in services["gateway"] and "HEALTHCHECK" in DOCKERFILE
    assert services["migrate"]["healthcheck"] == {"disable": True}
    assert services["refresh"]["healthcheck"] == {"disable": True}


def test_every_named_volume_is_declared(compose: dict[str, Any]) -> None:
    used = {
        line.split(":")[0]
        for service in compose["services"].values()
        for line in service.get("volumes", ())
        if not line.startswith("./")
    }
    assert used == set(compose["volumes"]) == {"postgres", "redis"}


def test_no_secret_has_a_default() -> None:
    assert set(re.findall(r"\$\{POSTGRES_PASSWORD([^}]*)", COMPOSE)) == {":-"}
    assert set(re.findall(r"\$\{REDIS_PASSWORD([^}]*)", COMPOSE)) == {":-${POSTGRES_PASSWORD:-"}
    assert "SECRET_KEY" not in re.sub(r"#.*", "", COMPOSE), "it comes from .env alone"


def test_the_port_is_the_balancers_and_open_on_this_machine_only(compose: dict[str, Any]) -> None:
    published = {name: service.get("ports") for name, service in compose["services"].items()}
    assert published.pop("balancer") == ["${BIND_ADDRESS:-127.0.0.1}:${PORT:-8000}:8000"]
    assert set(published.values()) == {None}


def test_every_container_is_hardened(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"] and "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "/tmp" in service["tmpfs"] and service["mem_limit"] and service["pids_limit"], name
        assert not service.get("privileged") and "network_mode" not in service, name


def test_what_comes_from_elsewhere_is_pinned_and_not_root(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if "build" in service:
            continue
        assert re.search(r":\d+\.\d+[\w.-]*$|@sha256:[0-9a-f]{64}$", service["image"]), name
        assert service.get("user", "root") != "root" or "unprivileged" in service["image"], name


def test_databases_are_on_a_network_without_a_way_in_or_out(compose: dict[str, Any]) -> None:
    services, networks = compose["services"], compose["networks"]
    assert networks["data"] == {"internal": True}
    for name in ("postgres", "redis", "migrate"):
        assert services[name]["networks"] == ["data"]
    assert services["balancer"]["networks"] == ["front"]
    on_front = {name for name, each in services.items() if "front" in each.get("networks", ())}
    assert on_front == {"gateway", "balancer"}
    assert "--requirepass" in services["redis"]["command"]


def test_only_the_balancers_network_is_believed(compose: dict[str, Any]) -> None:
    [front] = compose["networks"]["front"]["ipam"]["config"]
    believed = ipaddress.ip_network(front["subnet"])
    assert believed.num_addresses <= 64
    for name in ("gateway", "refresh", "migrate"):
        assert compose["services"][name]["environment"]["FORWARDED_ALLOW_IPS"] == str(believed)
    assert ipaddress.ip_address(front["gateway"]) in believed
    # And by the balancer the one address that this machine's own proxy has there.
    assert re.findall(r"set_real_ip_from (.*);", BALANCER) == [front["gateway"]]
    assert re.findall(r"^        ([\d.]+) 1;", BALANCER, re.MULTILINE) == [front["gateway"]]


# --- the balancer, run ------------------------------------------------------------------------

# What a test in Docker's place would have: its own proxy here, a stranger there.
BELIEVED, STRANGER = "127.0.0.1", "127.0.0.2"
TEN = "10.9.9.9"


@dataclass
class Balanced:
    """The real nginx with balancer.conf, in front of a gateway that believes it."""

    gateway: GatewayProcess
    url: str
    key_of_tens: str

    def client(self, address: str, **options: Any) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=address)
        return httpx.Client(base_url=self.url, transport=transport, timeout=30, **options)


@pytest.fixture(scope="module")
def balanced(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[Balanced]:
    folder = tmp_path_factory.mktemp("balanced")
    with (
        django_db_blocker.unblock(),
        running_gateway(
            folder / "gateway",
            session_upstream,
            FORWARDED_ALLOW_IPS=BELIEVED,
            HTTPS="on",
            METRICS_ALLOWED_NETWORKS="10.0.0.0/8",
        ) as gateway,
        running_nginx(folder, BALANCER, gateway.port) as url,
    ):
        key = gateway.issue_key(allowed_networks=["10.0.0.0/8"])
        yield Balanced(gateway, url, key)


@contextmanager
def running_nginx(folder: Path, conf: str, gateway_port: int) -> Iterator[str]:
    nginx = program("nginx")
    port = free_port()
    conf = (
        conf.replace("listen 8000", f"listen 127.0.0.1:{port}")
        .replace("set $gateway gateway:8000", f"set $gateway 127.0.0.1:{gateway_port}")
        .replace("172.30.53.1", BELIEVED)
        .replace("/tmp/", f"{folder}/")
    )
    (folder / "nginx.conf").write_text(f"daemon off;\nmaster_process off;\n{conf}")
    with (folder / "nginx.log").open("w") as log:
        process = subprocess.Popen(
            [nginx, "-e", "/dev/stderr", "-c", str(folder / "nginx.conf")], stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_answers(url + "/healthz")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def wait_until_answers(url: str) -> None:
    deadline = time.monotonic() + START_S
    pause = threading.Event()
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        pause.wait(0.05)
    raise AssertionError(f"nothing answers at {url}")


def test_the_balancer_passes_streams_on_as_they_come(
    balanced: Balanced, upstream: RunningSimulator
) -> None:
    key = balanced.gateway.issue_key()
    body = chat_body("30 words [simulate stall after=3]", stream=True)
    events = 0
    with (
        balanced.client(BELIEVED, headers={"x-api-key": key}) as http,
        http.stream("POST", "/v1/chat/completions", json=body) as response,
    ):
        assert response.status_code == 200
        # Upstream is silent from here on: what arrives was not held back for more to come.
        for line in response.iter_lines():
            events += line.startswith("data:")
            if events == 2:
                break
    assert events == 2


CLAIMS: list[tuple[str, list[tuple[str, str]], int]] = [
    # This machine's proxy says who asks, and replaces or appends what others claimed.
    (BELIEVED, [("X-Forwarded-For", TEN)], 200),
    (BELIEVED, [("X-Forwarded-For", f"203.0.113.9, {TEN}")], 200),
    (BELIEVED, [("X-Forwarded-For", f"{TEN}, 203.0.113.9")], 403),
    (BELIEVED, [("X-Forwarded-For", f"{TEN}, 192.168.1.50")], 403),
    (BELIEVED, [("X-Forwarded-For", f"{TEN}, 172.20.5.5")], 403),
    (BELIEVED, [("X-Forwarded-For", f"{TEN}, 2001:db8::9")], 403),
    (BELIEVED, [("X-Forwarded-For", TEN), ("X-Forwarded-For", "203.0.113.9")], 403),
    (BELIEVED, [], 403),
    # Anybody else is who he is.
    (STRANGER, [("X-Forwarded-For", TEN)], 403),
    (STRANGER, [("X-Forwarded-For", f"{TEN}, 127.0.0.1")], 403),
    (STRANGER, [("X-Forwarded-For", TEN), ("X-Forwarded-For", TEN)], 403),
    (STRANGER, [("X-Real-IP", TEN), ("Forwarded", f"for={TEN}")], 403),
    (STRANGER, [("True-Client-IP", TEN), ("CF-Connecting-IP", TEN)], 403),
    (STRANGER, [("X_Forwarded_For", TEN)], 403),
]


@pytest.mark.parametrize(
    ("peer", "claims", "status"), CLAIMS, ids=[f"{peer} {claims}" for peer, claims, _ in CLAIMS]
)
def test_an_address_is_believed_from_one_hop_alone(
    balanced: Balanced,
    upstream: RunningSimulator,
    peer: str,
    claims: list[tuple[str, str]],
    status: int,
) -> None:
    with balanced.client(peer) as http:
        headers = [*claims, ("x-api-key", balanced.key_of_tens)]
        answer = http.post("/v1/chat/completions", json=chat_body("hello"), headers=headers)
        assert answer.status_code == status, answer.text
    with balanced.client(peer) as http:
        # The same eyes look at who may read the metrics.
        metrics = http.get("/metrics", headers=claims)
        assert metrics.status_code == (200 if status == 200 else 404)


@pytest.mark.parametrize(
    ("peer", "said", "is_https"),
    [
        (BELIEVED, "https", True),
        (BELIEVED, "http, https", True),
        (BELIEVED, "https, http", False),
        (BELIEVED, "http", False),
        (BELIEVED, "", False),
        (STRANGER, "https", False),
    ],
)
def test_https_is_believed_from_one_hop_alone(
    balanced: Balanced, peer: str, said: str, is_https: bool
) -> None:
    with balanced.client(peer) as http:
        page = http.get("/accounts/login/", headers={"X-Forwarded-Proto": said} if said else {})
    assert page.status_code == (200 if is_https else 301)


def test_claimed_addresses_do_not_spread_wrong_passwords(balanced: Balanced) -> None:
    """The limit by address is the address's, whatever a stranger writes."""
    statuses = []
    # As the host's proxy passes it on, which appends.
    with balanced.client(BELIEVED, headers={"X-Forwarded-Proto": "https"}) as http:
        form = http.get("/accounts/login/")
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)[0]
        cookies = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        for number in range(7):
            page = http.post(
                "/accounts/login/",
                data={"csrfmiddlewaretoken": token, "username": "nobody", "password": "wrong"},
                headers={
                    "X-Forwarded-For": f"10.1.1.{number}, 192.168.1.50",
                    "Cookie": cookies,
                    "Referer": str(http.base_url).replace("http:", "https:"),
                    "Origin": "https://" + http.base_url.netloc.decode(),
                },
            )
            statuses.append(page.status_code)
    assert statuses[:5] == [200] * 5 and statuses[-1] == 429


def test_a_body_that_is_too_large_is_refused_in_the_callers_words(balanced: Balanced) -> None:
    key = balanced.gateway.issue_key()
    with balanced.client(BELIEVED, headers={"x-api-key": key}) as http:
        for size, code in ((33 * 2**20, "request_too_large"), (65 * 2**20, None)):
            answer = http.post("/v1/chat/completions", content=b" " * size)
            assert answer.status_code == 413
            if code:
                assert answer.json()["error"]["code"] == code


def test_streams_may_finish_before_docker_kills(compose: dict[str, Any]) -> None:
    from django.conf import settings

    patience = int(compose["services"]["gateway"]["stop_grace_period"].removesuffix("s"))
    assert patience > settings.STOP_GRACE + 15


def test_commands_of_services_exist() -> None:
    from django.core.management import get_commands

    named = set(re.findall(r"manage\.py (\w+)", COMPOSE))
    assert named == {"check", "migrate", "refresh_catalog"}
    assert named <= set(get_commands())


def test_the_image_holds_all_packages_and_no_secret() -> None:
    from django.apps import apps

    ours = {Path(app.path).name for app in apps.get_app_configs() if Path(app.path).parent == ROOT}
    taken = {line.removeprefix("!") for line in IGNORED if line.startswith("!")}
    assert IGNORED[0] == "*"
    assert taken == ours | {"gunicorn.conf.py", "manage.py", "requirements.txt"}
    assert all((ROOT / name).exists() for name in taken)


def test_the_image_does_not_run_as_root() -> None:
    commands = re.findall(r"^(USER|CMD) (.*)$", DOCKERFILE, re.MULTILINE)
    assert commands == [("USER", "10001"), ("CMD", '["gunicorn", "-c", "gunicorn.conf.py"]')]


def test_the_image_has_the_python_that_the_project_takes() -> None:
    bases = set(re.findall(r"^FROM python:(\d+\.\d+)-slim", DOCKERFILE, re.MULTILINE))
    assert bases == {"3.13"}


def test_the_image_finds_a_live_gateway_healthy(gateway: Any) -> None:
    command = re.search(r"^    CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert command is not None
    words = [sys.executable, *json.loads(command[1])[1:]]
    for port, status in ((gateway.port, 0), (1, 1)):
        result = subprocess.run(
            words, env={**os.environ, "PORT": str(port)}, capture_output=True, timeout=20
        )
        assert result.returncode == status


def test_the_image_takes_any_uid() -> None:
    """Of group 0, as OpenShift has it: what it writes is that group's."""
    assert re.search(r"install -d -o 10001 -g 0 -m 0770 /app/var", DOCKERFILE)


def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    docker_compose = program("docker-compose")
    for name in ("docker-compose.yml", "Dockerfile", "balancer.conf"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    example = (ROOT / ".env.example").read_text()
    filled = re.sub(r"^#(POSTGRES_PASSWORD)=$", r"\1=one", example, flags=re.MULTILINE)
    other = filled + "REDIS_PASSWORD=two\nGATEWAY_MEMORY=3g\n"
    for settings, redis in ((None, ""), ("", ""), (example, ""), (filled, "one"), (other, "two")):
        if settings is not None:
            (tmp_path / ".env").write_text(settings)
        read = subprocess.run(
            [docker_compose, "config", "--format", "json"],
            cwd=tmp_path,
            # What else the shell has would come before the file.
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert read.returncode == 0, read.stderr
        gateway = json.loads(read.stdout)["services"]["gateway"]
        assert gateway["environment"]["REDIS_URL"] == f"redis://:{redis}@redis:6379/0"
    assert gateway["mem_limit"] == str(3 * 2**30)


def test_hadolint_accepts_the_dockerfile() -> None:
    linted = subprocess.run(
        [program("hadolint"), str(ROOT / "Dockerfile")], capture_output=True, text=True, timeout=60
    )
    assert linted.returncode == 0 and not linted.stdout, linted.stdout
