"""The container files: what they name exists, nothing is open or guessable by default."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import GatewayProcess, free_port
from tests.needs import ROOT, program

COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().split()


def mapping(lines: list[str]) -> dict[str, Any]:
    """The mappings of the compose file, nested by indentation; lists and texts stay lines.

    Enough for this file's style (two spaces, no flow style), and no YAML library is needed for it.
    """
    found: dict[str, Any] = {}
    for number, line in enumerate(lines):
        key = re.fullmatch(r"([\w<-]+):(?: (.*))?", line)
        if key is None:
            continue
        below = []
        for later in lines[number + 1 :]:
            if not later.startswith("  "):
                break
            below.append(later[2:])
        found[key[1]] = mapping(below) or below or key[2]
        if key[2] and key[2].startswith("*"):
            found[key[1]] = key[2]
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    lines = [line for line in COMPOSE.splitlines() if not re.match(r" *(#|$)", line)]
    read = mapping(lines)
    gateway = read["x-gateway"]
    for service in read["services"].values():
        if service.get("<<") == "*gateway":
            service |= {name: value for name, value in gateway.items() if name not in service}
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
    assert services["migrate"]["healthcheck"] == {"disable": "true"}
    assert services["refresh"]["healthcheck"] == {"disable": "true"}


def test_every_named_volume_is_declared(compose: dict[str, Any]) -> None:
    used = {
        line.strip("- ").split(":")[0]
        for service in compose["services"].values()
        for line in service.get("volumes") or ()
        if not line.strip("- ").startswith("./")
    }
    assert used == set(compose["volumes"]) == {"postgres", "redis"}


def test_no_secret_has_a_default() -> None:
    assert set(re.findall(r"\$\{POSTGRES_PASSWORD([^}]*)", COMPOSE)) == {":-"}
    assert "SECRET_KEY" not in re.sub(r"#.*", "", COMPOSE), "it comes from .env alone"


def test_the_port_is_the_balancers_and_open_on_this_machine_only() -> None:
    assert "${BIND_ADDRESS:-127.0.0.1}:${PORT:-8000}:8000" in COMPOSE
    assert COMPOSE.count("ports:") == 1


def test_the_balancer_passes_streams_on_as_they_come(
    gateway: GatewayProcess, key: str, tmp_path: Path
) -> None:
    nginx = program("nginx")
    port = free_port()
    conf = (
        (ROOT / "balancer.conf")
        .read_text()
        .replace("listen 8000", f"listen 127.0.0.1:{port}")
        .replace("set $gateway gateway:8000", f"set $gateway 127.0.0.1:{gateway.port}")
        .replace("/tmp/", f"{tmp_path}/")
    )
    (tmp_path / "nginx.conf").write_text(f"daemon off;\nmaster_process off;\n{conf}")
    process = subprocess.Popen([nginx, "-e", "/dev/stderr", "-c", str(tmp_path / "nginx.conf")])
    try:
        url = f"http://127.0.0.1:{port}"
        gateway.wait_until(lambda: answers(url + "/healthz"), "the balancer answers")
        body = {
            "model": "@cf/meta/llama-3-8b-instruct",
            "messages": [{"role": "user", "content": "30 words [simulate stall after=3]"}],
            "stream": True,
        }
        events = 0
        with httpx.stream(
            "POST",
            url + "/v1/chat/completions",
            json=body,
            headers={"authorization": f"Bearer {key}"},
            timeout=30,
        ) as response:
            assert response.status_code == 200
            # Upstream is silent from here on: what arrives was not held back for more to come.
            for line in response.iter_lines():
                events += line.startswith("data:")
                if events == 3:
                    break
        assert events == 3
    finally:
        process.terminate()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


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
    assert commands == [("USER", "gateway"), ("CMD", '["gunicorn", "-c", "gunicorn.conf.py"]')]


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


def test_docker_accepts_the_compose_file(tmp_path: Path) -> None:
    try:
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=20)
    except FileNotFoundError:
        pytest.skip("docker is not installed")
    if plugin.returncode:
        pytest.skip("docker has no compose plugin")
    for name in ("docker-compose.yml", "Dockerfile", "balancer.conf"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    config = ["docker", "compose", "config", "--quiet"]
    for settings in (None, "", (ROOT / ".env.example").read_text()):
        if settings is not None:
            (tmp_path / ".env").write_text(settings)
        valid = subprocess.run(config, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert valid.returncode == 0, valid.stderr
