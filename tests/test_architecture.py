"""Imports point one way, and one file reads the environment. Reads the source, runs nothing."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = frozenset({"proxysite", "openai_api", "catalog", "keys", "theme", "workers_ai"})

MAY_IMPORT = {
    "proxysite": OURS,
    "openai_api": frozenset({"keys", "catalog", "workers_ai"}),
    "catalog": frozenset({"theme"}),
    "keys": frozenset({"theme"}),
    "theme": frozenset(),
    "workers_ai": frozenset(),
}
# What in `catalog` talks to Cloudflare: the list of models and their schemas are fetched there.
BEYOND = {
    Path("catalog/refresh/fetch.py"): frozenset({"workers_ai"}),
    Path("catalog/refresh/run.py"): frozenset({"workers_ai"}),
}

# The rooms of a package and the modules beside them, from the ground up. A room imports nothing of
# a floor above, nor of another room on its own; on the ground the modules may use each other.
FLOORS = {
    "keys": (
        {
            *("amounts", "csv_cells", "errors", "form_fields", "key_choice", "key_history"),
            *("key_json", "key_text", "models", "scopes", "shown", "snippets"),
        },
        {"access"},
        {"ledger"},
        {"limits"},
        {"reports"},
        {"log"},
        {"operators", "member"},
        {"admin", "checks", "management"},
        {"apps"},
    ),
}
NO_ROOM = {"__init__", "migrations"}

READS_SETTINGS = Path("workers_ai/configured.py")

READS_ENVIRONMENT = {Path("proxysite/settings.py"), Path("proxysite/run.py")}
NAMING = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'proxysite.settings')"
NAMES_SETTINGS = {Path("gunicorn.conf.py"), Path("manage.py"), Path("proxysite/asgi.py")}


def sources(package: str) -> list[Path]:
    return sorted(file.relative_to(ROOT) for file in (ROOT / package).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that the source imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse((ROOT / file).read_text(), str(file))


@pytest.mark.parametrize("package", sorted(OURS))
def test_imports_point_one_way(package: str) -> None:
    wrong = {}
    for file in sources(package):
        allowed = MAY_IMPORT[package] | BEYOND.get(file, frozenset()) | {package}
        beyond = {name.split(".")[0] for name in imports(parsed(file))} & OURS - allowed
        if beyond:
            wrong[str(file)] = beyond
    assert wrong == {}


def module_name(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def arrows(package: str) -> dict[str, set[str]]:
    """Each module of a package → those of the same package that it imports."""
    modules = {module_name(file): file for file in sources(package)}
    found = {}
    for name, file in modules.items():
        # `from keys import models` names a module, `from keys.models import Key` what is in one.
        found[name] = {used for used in imports(parsed(file)) if used in modules}
        found[name] -= {name, package}
    return found


def room_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_every_room_has_its_floor(package: str) -> None:
    rooms = {file.relative_to(package).parts[0].removesuffix(".py") for file in sources(package)}
    placed = [room for floor in FLOORS[package] for room in floor]
    assert sorted(placed) == sorted(rooms - NO_ROOM)


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_no_room_imports_from_above(package: str) -> None:
    height = {room: number for number, floor in enumerate(FLOORS[package]) for room in floor}
    wrong = []
    for module, used in arrows(package).items():
        for other in used if "." in module and room_of(module) not in NO_ROOM else ():
            here, there = room_of(module), room_of(other)
            is_beside = here != there and height[here] == height[there] > 0
            if height[there] > height[here] or is_beside:
                wrong.append(f"{module} → {other}")
    assert wrong == []


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_modules_have_no_circle(package: str) -> None:
    left = dict(arrows(package))
    while ends := [module for module, used in left.items() if not used & left.keys()]:
        for module in ends:
            del left[module]
    assert left == {}, "each of these imports another of them"


def test_workers_ai_needs_no_django() -> None:
    wrong = {}
    for file in sources("workers_ai"):
        djangos = {name for name in imports(parsed(file)) if name.split(".")[0] == "django"}
        if file == READS_SETTINGS:
            djangos -= {"django.conf", "django.conf.settings"}
        if "commands" in file.parts:
            djangos = {name for name in djangos if not name.startswith("django.core.management")}
        if file.name == "apps.py":
            djangos -= {"django.apps", "django.apps.AppConfig"}
        if djangos:
            wrong[str(file)] = djangos
    assert wrong == {}


def test_only_the_settings_read_the_environment() -> None:
    wrong = []
    for file in [file for package in OURS for file in sources(package)] + list(NAMES_SETTINGS):
        reads = environment_reads(parsed(file))
        if file in NAMES_SETTINGS:
            reads = [node for node in reads if ast.unparse(node) != NAMING]
        if reads and file not in READS_ENVIRONMENT:
            wrong.append(str(file))
    assert wrong == []


def environment_reads(tree: ast.AST) -> list[ast.AST]:
    """Every call on, and every other use of, the process's environment."""
    calls = {
        node.func.value: node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    return [
        calls.get(node, node)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os")
    ]
