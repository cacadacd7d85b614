"""The documents are true: every block in them runs, every setting and name in them exists."""

import ast
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from PIL import Image

from alerts.findings import EVENTS
from alerts.messages import webhook_body
from catalog.models import CatalogModel
from keys.agent_snippets import agent_snippets
from keys.app_snippets import app_snippets
from keys.snippet import USUAL_AGENT_MODEL, USUAL_MODEL, Target
from openai_api.served import SERVED
from tests.alerts.messages import message
from tests.gateway import GatewayProcess
from tests.management_api.api_client import new_token
from tests.needs import ROOT, node_package, program

PAGES = (
    "README.md",
    "docs/architecture.md",
    "docs/clients.md",
    "docs/api.md",
    "docs/observability.md",
    "docs/operating.md",
    "docs/alerts.md",
    "docs/deploying.md",
    "docs/security.md",
)
URL = "http://127.0.0.1:8000"
PLACEHOLDER = "sk-wai-…"
SERVICE_PLACEHOLDER = "sk-wai-service-…"
COMPOSE = (ROOT / "docker-compose.yml").read_text()


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str) -> Iterator[Block]:
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL)
    for match in found:
        line = read(page).count("\n", 0, match.start()) + 1
        yield Block(page, line, match[1], match[2])


def read(page: str) -> str:
    return (ROOT / page).read_text()


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def with_info(*infos: str) -> "pytest.MarkDecorator":
    chosen = [block for block in BLOCKS if block.info in infos]
    return pytest.mark.parametrize("block", chosen, ids=str)


# --- Blocks that run here ---------------------------------------------------------------------


@pytest.fixture
def place(gateway: GatewayProcess, tmp_path: Path) -> Path:
    """A folder that looks like the checkout after `make run`, with the gateway's database in it."""
    for entry in ROOT.iterdir():
        if entry.name not in ("var", ".venv", ".env"):
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "var").mkdir()
    database = gateway.database_url.removeprefix("sqlite:///")
    (tmp_path / "var" / "gateway.sqlite3").symlink_to(database)
    return tmp_path


@pytest.fixture
def filled(gateway: GatewayProcess, key: str) -> Callable[[str], str]:
    """Puts this gateway's address, a key and the number of a key in the place of the examples."""

    def fill(text: str) -> str:
        number = str(gateway.issue("of an example")[0].pk)
        if SERVICE_PLACEHOLDER in text:
            text = text.replace(SERVICE_PLACEHOLDER, gateway.database(lambda: new_token()[1]))
        text = text.replace(URL, gateway.url).replace(PLACEHOLDER, key)
        return re.sub(r"(_key |key:)7\b", rf"\g<1>{number}", text)

    return fill


def run(gateway: GatewayProcess, place: Path, *words: str) -> str:
    result = subprocess.run(
        words, cwd=place, env=gateway.environment, capture_output=True, text=True, timeout=180
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@with_info("python")
def test_python_runs(
    block: Block, gateway: GatewayProcess, place: Path, filled: Callable[[str], str]
) -> None:
    assert run(gateway, place, sys.executable, "-W", "error", "-c", filled(block.text)).strip()
    if "picture.jpg" in block.text:
        with Image.open(place / "picture.jpg") as picture:
            picture.load()


@with_info("sh")
def test_shell_commands_run(
    block: Block, gateway: GatewayProcess, place: Path, filled: Callable[[str], str]
) -> None:
    program("curl")
    output = run(gateway, place, "bash", "-euo", "pipefail", "-c", filled(block.text))
    if "curl" in block.text and "stream" in block.text:
        assert "data: [DONE]" in output
    if "var/backups" in block.text:
        # Once more, as cron does.
        run(gateway, place, "bash", "-euo", "pipefail", "-c", block.text)
        first, second = (place / "var" / "backups").iterdir()
        for backup in (first, second):
            assert backup.stat().st_mode & 0o077 == 0
            with sqlite3.connect(backup) as database:
                assert database.execute("SELECT count(*) FROM keys_key").fetchone()[0] > 0
            database.close()


@with_info("js")
def test_node_runs(
    block: Block, gateway: GatewayProcess, place: Path, filled: Callable[[str], str]
) -> None:
    node = program("node")
    (place / "node_modules").symlink_to(node_package("openai").parent)
    (place / "example.mjs").write_text(filled(block.text))
    assert run(gateway, place, node, "example.mjs").strip()


# --- Blocks that cannot run here --------------------------------------------------------------


@with_info("sh make")
def test_make_targets_exist(block: Block) -> None:
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    for line in block.text.splitlines():
        assert re.sub(r"^(\w+=\S+ )*make ", "", line) in targets, line


@with_info("sh serve")
def test_the_way_without_docker_names_what_exists(block: Block) -> None:
    *manage, serve = block.text.splitlines()
    # tests/gateway.py starts every gateway of the tests with these very words.
    assert serve == ".venv/bin/gunicorn -c gunicorn.conf.py"
    assert (Path(sys.prefix) / "bin" / "gunicorn").exists()
    assert all(line.startswith(".venv/bin/python manage.py ") for line in manage)


@with_info("sh docker")
def test_docker_commands_name_services_of_the_compose_file(block: Block) -> None:
    services = set(re.findall(r"^  (\w+):$", COMPOSE.split("\nservices:")[1], re.MULTILINE))
    for line in block.text.splitlines():
        if not line.startswith("docker "):
            assert line == "cp .env.example .env"
            continue
        found = re.fullmatch(r"docker compose(?: --file [\w.-]+)* (up|exec|stop)(.*)", line)
        assert found, line
        if found[1] == "exec":
            assert found[2].removeprefix(" -T").split()[0] in services, line
        if found[1] == "stop":
            assert set(found[2].split()) <= services, line
        for scaled in re.findall(r"--scale (\w+)=", line):
            assert scaled in services, line


@with_info("ini")
def test_settings_in_examples_exist(block: Block) -> None:
    for line in block.text.splitlines():
        assert line.partition("=")[0] in shown(), line


@with_info("json alert")
def test_the_alert_shown_is_of_the_form_that_is_sent(block: Block) -> None:
    sent = webhook_body(message())
    shown_body = json.loads(block.text)
    assert list(shown_body) == list(sent)
    assert shown_body["holder"] == sent["holder"]


PARTS = {
    part.text: part
    for snippet in [*agent_snippets(Target(URL)), *app_snippets(Target(URL))]
    for part in snippet.parts
}
CLIENT_BLOCKS = [f"{kind} client" for kind in ("json", "toml", "yaml", "sh", "env")]


@with_info(*CLIENT_BLOCKS)
def test_blocks_of_clients_are_those_of_the_pages_and_parse(block: Block) -> None:
    part = PARTS[block.text]
    assert block.info == f"{part.kind} client"
    before = read(block.page).splitlines()[block.line - 3]
    assert f"`{part.where}`" in before if part.where else "`" not in before
    if part.kind == "json":
        json.loads(part.text)
    elif part.kind == "toml":
        tomllib.loads(part.text)
    elif part.kind == "yaml":
        assert isinstance(yaml.safe_load(part.text), dict)
    elif part.kind == "env":
        assert re.fullmatch(r"([A-Z_]+=\S+\n)+", part.text)
    else:
        subprocess.run(["bash", "-n"], input=part.text, text=True, check=True, timeout=20)


def test_every_client_is_in_its_document() -> None:
    page = read("docs/clients.md")
    for snippet in [*agent_snippets(Target(URL)), *app_snippets(Target(URL))]:
        section = page.split(f"\n### {snippet.name}\n", 1)[1].split("\n### ", 1)[0]
        assert all(part.text in section for part in snippet.parts), snippet.name
        for field, value in snippet.steps:
            assert f"| {field} | `{value}` |" in section, snippet.name


def test_windows_of_examples_are_those_of_the_catalog(gateway: GatewayProcess) -> None:
    for model in (USUAL_MODEL, USUAL_AGENT_MODEL):
        row = gateway.database(lambda name=model.name: CatalogModel.objects.get(name=name))
        assert row.context_window == model.context_tokens


@with_info("text")
def test_the_arrows_of_the_packages_are_their_folders(block: Block) -> None:
    for name in re.findall(r"\w+", block.text):
        assert (ROOT / name / "__init__.py").exists()


def test_no_block_goes_unchecked() -> None:
    known = {"python", "js", "sh", "sh make", "sh serve", "sh docker", "ini", *CLIENT_BLOCKS}
    # tests/deploy/ runs them, or reads them as their programs do.
    known |= {"nginx tls", "nginx plain", "nginx below", "caddyfile", "haproxy", "yaml traefik"}
    known |= {
        "yaml cloudflared",
        "json alert",
        "ini pgbouncer",
        "sh kubectl",
        "sh systemd",
        "sh move",
    }
    known |= {"json alert"}
    assert {str(b): b.info for b in BLOCKS if b.info not in known | {"text"}} == {}
    assert len(BLOCKS) > 10


def test_every_event_of_alerts_is_told() -> None:
    assert [name for name in EVENTS if f"`{name}`" not in read("docs/alerts.md")] == []


# --- Names ------------------------------------------------------------------------------------


def test_every_management_command_named_exists() -> None:
    from django.core.management import get_commands

    for page in PAGES:
        named = set(re.findall(r"manage\.py (\w+)", read(page)))
        assert named <= set(get_commands()), page


def test_every_file_named_exists() -> None:
    for page in PAGES:
        named = re.findall(r"`(\.?[a-z_]+/[\w/.]*\w|[a-z]+\.py)`", read(page))
        links = re.findall(r"\]\((?!http)([^)#]+)\)", read(page))
        for path in named:
            if path.startswith(("var/", ".venv/", "http/")):  # the last is a protocol
                continue
            exists = (ROOT / path).exists() or any((ROOT / "openai_api").rglob(path))
            assert exists, f"{page}: {path}"
        for link in links:
            assert (ROOT / page).parent.joinpath(link).exists(), f"{page}: {link}"


def test_every_setting_named_exists() -> None:
    elsewhere = {
        "ENV_FILE",
        "HTTPS_PROXY",
        "NO_PROXY",
        "VAR_DIR",
        "ENABLE_FORWARD_USER_INFO_HEADERS",
        "UPSTREAM_",
    }
    elsewhere |= {"COPILOT_PROVIDER_WIRE_API"}
    elsewhere |= {name for text in PARTS for name in re.findall(r"\b[A-Z]+_[A-Z_]+\b", text)}
    for page in PAGES:
        for name in re.findall(r"`([A-Z]+_[A-Z_]*)(?:=[^`]*)?`", read(page)):
            assert name in shown().keys() | elsewhere, f"{page}: {name}"


def test_every_model_named_is_in_the_catalog(gateway: GatewayProcess) -> None:
    known = set(gateway.database(lambda: list(CatalogModel.objects.values_list("name", flat=True))))
    for page in PAGES:
        named = set(re.findall(r"@cf/[\w.-]+/[\w.-]+\b", read(page)))
        assert named <= known, page


def test_every_error_code_of_the_symptoms_exists() -> None:
    codes = re.findall(r"^\| [45]\d\d `(\w+)`", read("docs/operating.md"), re.MULTILINE)
    assert len(codes) > 5
    source = read("openai_api/errors/tree.py") + read("openai_api/errors/rules.py")
    for code in codes:
        assert f'"{code}"' in source, code


def test_every_endpoint_served_is_in_the_table() -> None:
    readme = read("README.md")
    for endpoint in SERVED.values():
        assert f"| `POST {endpoint.path}` | `{endpoint.protocol}` |" in readme


def test_every_limit_option_of_issue_key_is_in_the_table() -> None:
    from keys.management.commands.issue_key import Command

    actions = Command().create_parser("manage.py", "issue_key")._actions
    options = {word for action in actions for word in action.option_strings}
    documented = set(re.findall(r"`(--[\w-]+)[` ]", read("README.md")))
    not_limits = {"--owner", "--notes", "--json", "--help", "-h", "--version", "--settings", "-v"}
    not_limits |= {"--verbosity", "--pythonpath", "--traceback", "--no-color", "--force-color"}
    assert options - not_limits - {"--skip-checks"} <= documented


def test_the_readme_says_what_a_stranger_needs_on_its_first_screen() -> None:
    first_screen = read("README.md").splitlines()[:36]
    text = "\n".join(first_screen)
    assert "make run" in text and "OpenAI(" in text and "/v1/images/generations" in text


def test_the_changelog_has_a_place_for_what_comes() -> None:
    assert "\n## [Unreleased]\n" in read("CHANGELOG.md")


# --- Settings ---------------------------------------------------------------------------------

READERS = {"text", "parsed", "whole_number", "seconds", "yes_or_no", "listed", "url", "networks"}
READERS |= {"collector_url", "pairs", "milliseconds"}
READERS |= {"otlp_exporter", "otlp_headers", "otlp_protocol", "otlp_compression"}
# Defaults that are made, not written down.
DERIVED = {"SECRET_KEY", "DATABASE_URL", "PUBLIC_URL"}


def settings_tree() -> ast.Module:
    return ast.parse(read("proxysite/settings.py"))


def names_read() -> list[str]:
    """The variables that settings.py reads, in its order."""
    calls = [
        (node.lineno, node.args[0].value)
        for node in ast.walk(settings_tree())
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in READERS
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    return [str(name) for _, name in sorted(calls)]


def groups(text: str) -> list[str]:
    return [title.strip() for title in re.findall(r"^# --- (.+?) -{3,}$", text, re.MULTILINE)]


def shown() -> dict[str, str]:
    """The settings in .env.example and the defaults it shows."""
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", read(".env.example"), re.MULTILINE))


def compose_only() -> set[str]:
    return set(re.findall(r"\$\{(\w+)", COMPOSE)) - set(names_read())


def test_the_example_has_every_setting_in_the_order_of_the_settings() -> None:
    listed = list(shown())
    assert [name for name in listed if name not in compose_only()] == names_read()
    assert compose_only() <= set(listed)
    assert set(listed[-len(compose_only()) :]) == compose_only()


def test_the_example_has_the_groups_of_the_settings() -> None:
    assert groups(read(".env.example"))[:-1] == groups(read("proxysite/settings.py"))


def test_each_setting_of_the_example_has_one_line_that_explains_it() -> None:
    lines = read(".env.example").splitlines()
    for before, line in pairwise(lines):
        if re.match(r"#[A-Z_]+=", line):
            assert re.match(r"# [A-Zs].*\.$", before), line


def values_with(lines: list[str], folder: Path) -> dict[str, object]:
    """What settings.py, alone in a folder, makes of these lines of a .env file."""
    for needed in (Path("proxysite", "setting_readers"), Path("storage")):
        shutil.copytree(ROOT / needed, folder / needed)
    (folder / "proxysite" / "settings.py").write_text(read("proxysite/settings.py"))
    (folder / ".env").write_text("\n".join([*lines, "SECRET_KEY=" + "a1B2c3D4" * 7]))
    show = (
        "import json, sys; from proxysite import settings as s; "
        "print(json.dumps({n: getattr(s, n) for n in sys.argv[1:]}, default=str))"
    )
    names = [name for name in names_read() if name != "DATABASE_URL"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}
    result = subprocess.run(
        [sys.executable, "-c", show, *names],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr
    values: dict[str, object] = json.loads(result.stdout)
    return values


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    defaults = values_with([], tmp_path / "bare")
    lines = [f"{name}={value}" for name, value in shown().items() if name != "SECRET_KEY"]
    assert values_with(lines, tmp_path / "shown") == defaults
    for name, default in defaults.items():
        if name not in DERIVED:
            assert bool(shown()[name]) == (default not in ("", [], {}, None)), name


def test_the_settings_of_the_bounds_exist() -> None:
    rows = re.findall(r"^\| .+ \| .+ \| (.*) \| .+ \|$", read("docs/security.md"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert len(named) > 10
    assert named <= set(shown())


def test_the_page_of_settings_has_those_of_the_example() -> None:
    wanted: list[str] = []
    explained = ""
    for line in read(".env.example").splitlines():
        if group := re.fullmatch(r"# --- (.+) ---", line):
            wanted += ["", f"## {group[1]}", "", "| name | default | |", "| --- | --- | --- |"]
        elif setting := re.fullmatch(r"#([A-Z_]+)=(.*)", line):
            default = f"`{setting[2]}`" if setting[2] else ""
            wanted.append(f"| `{setting[1]}` | {default} | {explained} |")
        elif line.startswith("# "):
            explained = line[2:]
    _, _, tables = read("docs/settings.md").partition("\n## ")
    assert f"## {tables}".strip() == "\n".join(wanted).strip(), "the tables are .env.example's"


def test_the_readme_names_settings_that_there_are() -> None:
    section = re.search(r"^## Settings\n(.*?)^## ", read("README.md"), re.M | re.S)
    assert section is not None
    assert set(re.findall(r"`([A-Z_]{5,})`", section[1])) <= set(shown())
