"""The files of deploy/: Kubernetes and systemd take them, and what they name exists."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from tests.deploy.blocks import block
from tests.needs import ROOT, program

KUBERNETES = ROOT / "deploy" / "kubernetes"
SYSTEMD = ROOT / "deploy" / "systemd"
SETTINGS = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
# Seconds for the last rows, after the requests in flight.
LAST_ROWS_S = 15


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path.name, document


def pods() -> dict[str, dict[str, Any]]:
    """The spec of each pod, by the name of what makes it."""
    found = {}
    for _, document in documents():
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found[document["metadata"]["name"]] = spec["template"]["spec"]
    return found


CONFIG = next(document for _, document in documents() if document["kind"] == "ConfigMap")["data"]


def test_kubernetes_takes_each_file() -> None:
    validate = program("kubernetes-validate")
    for path in sorted(KUBERNETES.glob("*.yaml")):
        if path.name == "kustomization.yaml":
            continue
        checked = subprocess.run(
            [validate, "--strict", str(path)], capture_output=True, text=True, timeout=60
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_kustomization_has_each_file() -> None:
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    there = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed) == there


def test_the_kinds_that_a_gateway_needs_are_there() -> None:
    kinds = [document["kind"] for _, document in documents()]
    for kind, count in {"Deployment": 1, "Service": 1, "Job": 1, "CronJob": 2}.items():
        assert kinds.count(kind) == count, kind
    assert set(pods()) == {"gateway", "gateway-migrate", "gateway-refresh", "gateway-prune"}


def test_no_pod_is_root_or_writes_on_its_image() -> None:
    for name, pod in pods().items():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"], name
            assert container["resources"]["requests"] and container["resources"]["limits"], name


def test_commands_and_settings_exist() -> None:
    assert set(CONFIG) <= SETTINGS
    for name, pod in pods().items():
        [container] = pod["containers"]
        sources = [{"configMapRef": {"name": "gateway"}}, {"secretRef": {"name": "gateway"}}]
        assert container["envFrom"] == sources, name
        if "command" in container:
            python, manage, command, *_ = container["command"]
            assert (python, manage) == ("python", "manage.py") and command in get_commands(), name


def test_probes_ask_what_the_gateway_answers_and_give_it_its_time() -> None:
    gateway = pods()["gateway"]
    [container] = gateway["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    ready = container["readinessProbe"]
    assert ready["httpGet"] == {"path": "/readyz", "port": "http"}
    # The look at the database may take 2 seconds.
    assert ready["timeoutSeconds"] > 2
    noticed_s = ready["periodSeconds"] * ready["failureThreshold"]
    assert int(CONFIG["DRAIN_DELAY"]) >= 2 * noticed_s
    stop_s = int(CONFIG["DRAIN_DELAY"]) + int(CONFIG["STOP_GRACE"]) + LAST_ROWS_S
    assert gateway["terminationGracePeriodSeconds"] >= stop_s


def test_services_and_budgets_mean_the_gateways_pods() -> None:
    labels = next(
        document["spec"]["template"]["metadata"]["labels"]
        for _, document in documents()
        if document["kind"] == "Deployment"
    )
    for _, document in documents():
        selector = document.get("spec", {}).get("selector")
        if selector is not None:
            assert selector.get("matchLabels", selector) == labels, document["kind"]


def test_kubectl_makes_one_of_them_all(tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    made = subprocess.run(
        [kubectl, "kustomize", str(KUBERNETES)], capture_output=True, text=True, timeout=60
    )
    assert made.returncode == 0, made.stderr
    images = set(re.findall(r"image: (\S+)", made.stdout))
    assert images == {"registry.example.com/workers-ai-gateway:0.2.0"}


# --- systemd ----------------------------------------------------------------------------------


def test_systemd_takes_each_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    bin = tmp_path / ".venv" / "bin"
    bin.mkdir(parents=True)
    for name in ("python", "gunicorn"):
        (bin / name).symlink_to(sys.executable)
    for unit in SYSTEMD.iterdir():
        text = unit.read_text().replace("/opt/workers-ai-gateway", str(tmp_path))
        (tmp_path / unit.name).write_text(text)
    units = [str(tmp_path / unit.name) for unit in SYSTEMD.iterdir()]
    checked = subprocess.run(
        [analyze, "verify", "--man=no", *units], capture_output=True, text=True, timeout=60
    )
    mine = [line for line in checked.stderr.splitlines() if "workers-ai-gateway" in line]
    assert checked.returncode == 0 and not mine, checked.stderr


def test_units_name_commands_and_settings_that_exist() -> None:
    units = {unit.name: unit.read_text() for unit in SYSTEMD.iterdir()}
    service = units["workers-ai-gateway.service"]
    assert "gunicorn -c gunicorn.conf.py" in service and "manage.py migrate" in service
    commands = re.findall(
        r"^Unit=workers-ai-gateway@(\w+)\.service$", "".join(units.values()), re.M
    )
    assert sorted(commands) == ["prune_logs", "refresh_catalog"]
    assert set(commands) <= set(get_commands())
    stop_s = int(re.findall(r"^TimeoutStopSec=(\d+)$", service, re.M)[0])
    assert stop_s > 30 + LAST_ROWS_S


def test_the_documents_name_the_units() -> None:
    named = re.findall(r"[\w@-]+\.(?:service|timer)", block("sh systemd"))
    assert named and all((SYSTEMD / name).exists() for name in named)


def test_cloudflared_is_told_where_the_gateway_is_and_what_else_to_answer() -> None:
    *sites, rest = yaml.safe_load(block("yaml cloudflared"))["ingress"]
    assert [site["service"] for site in sites] == ["http://127.0.0.1:8000"]
    assert rest == {"service": "http_status:404"}
