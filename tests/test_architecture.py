"""Imports point one way, and one file reads the environment. Reads the source, runs nothing."""

import ast
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = frozenset(
    {"alerts", "proxysite", "openai_api", "catalog", "keys", "management_api", "storage", "theme"}
    | {"workers_ai"}
)

MAY_IMPORT = {
    "proxysite": OURS,
    "openai_api": frozenset({"keys", "catalog", "alerts", "workers_ai", "storage"}),
    "management_api": frozenset({"keys", "catalog", "alerts", "theme", "storage"}),
    "catalog": frozenset({"alerts", "theme", "storage"}),
    "keys": frozenset({"alerts", "theme", "storage"}),
    "alerts": frozenset({"theme", "storage"}),
    "storage": frozenset(),
    "theme": frozenset(),
    "workers_ai": frozenset(),
}
# What in `catalog` talks to Cloudflare: the list of models and their schemas are fetched there.
BEYOND = {
    Path("catalog/refresh/fetch.py"): frozenset({"workers_ai"}),
    Path("catalog/refresh/run.py"): frozenset({"workers_ai"}),
    Path("catalog/terms.py"): frozenset({"workers_ai"}),
    Path("catalog/operators/terms_page.py"): frozenset({"workers_ai"}),
    # The guard against private addresses, which pictures have too.
    Path("alerts/channels/webhook.py"): frozenset({"workers_ai"}),
}

# The floors above the ground of each folder that has rooms, from the lowest up, and what stands on
# them: rooms, and modules beside them. What is not named stands on the ground, where modules may
# use each other. Nothing imports from a floor above, nor from another on its own.
FLOORS = {
    "keys": (
        {"access"},
        {"ledger"},
        {"limits"},
        {"sharing"},
        {"reports"},
        {"log", "alerting", "examples"},
        {"raise_requests"},
        {"operators", "member"},
        {"admin", "checks", "management"},
        {"apps"},
    ),
    "catalog": (
        {"pricing", "classify"},
        {"models"},
        {"access", "aliases", "snapshot", "successors", "suitable", "refresh", "checks"},
        {"resolve", "learnt", "paces", "terms", "alerting"},
        {"operators", "management"},
        {"admin", "apps"},
    ),
    "openai_api": (
        {"ai_gateway", "model_access", "served", "upstream"},
        {"model_failures"},
        {"errors"},
        {"use", "account_turns"},
        {"account_choice"},
        {"exchange"},
        {"wire", "fallbacks"},
        {"pipeline", "runs"},
        {"base"},
        {"chat_completions", "embeddings", "images", "key_info", "moderations", "rerank"}
        | {"speech", "transcriptions"},
        {"completions", "decisions", "image_edits", "messages", "model_list", "responses"},
        {"description"},
        {"urls"},
        {"apps"},
    ),
    "management_api": (
        {"models"},
        {"tokens", "idempotency"},
        {"authentication"},
        {"base"},
        {"resources"},
        {"openapi"},
        {"urls"},
        {"management", "admin", "apps"},
    ),
    "alerts": (
        {"channels"},
        {"store"},
        {"delivery"},
        {"outage"},
        {"management", "admin", "apps"},
    ),
    "workers_ai": (
        {"http", "failures", "simulator"},
        {"envelope", "management"},
        {"caller"},
        {"answer", "whole_answers"},
        {"client"},
        {"accounts", "markdown"},
        {"configured"},
    ),
    "workers_ai/simulator": (
        {"models"},
        {"calls"},
        {"chat"},
        {"tasks", "scenarios"},
        {"routes", "control"},
        {"app"},
        {"serve"},
        {"__main__"},
    ),
    "proxysite": ({"dashboard", "http"}, {"worker"}),
}
# Rooms that stand on the ground, beside the modules there.
ON_THE_GROUND = {"models", "telemetry", "setting_readers"}
# Folders that are Django's, not ours to give a room.
DJANGOS = {"migrations", "management", "commands", "templatetags", "formats"}

REGISTERS = "Django's own form: what `ready` imports registers itself once the apps are loaded"
# Importing file and imported module → why not at the top. A start is paid for by every process.
IMPORTED_LATE = {
    ("catalog/apps.py", "catalog.checks"): REGISTERS,
    ("keys/apps.py", "keys.checks"): REGISTERS,
    ("keys/apps.py", "keys.deleted_holders"): REGISTERS,
    ("proxysite/apps.py", "proxysite.checks"): REGISTERS,
    ("storage/apps.py", "storage.checks"): REGISTERS,
    ("proxysite/run.py", "catalog.models"): "it sets Django up itself, and models come after that",
    ("proxysite/run.py", "keys.models"): "it sets Django up itself, and models come after that",
    ("theme/admin.py", "theme.identity_admin"): "its models are there with single sign-on only",
    (
        "alerts/other_hosts.py",
        "redis",
    ): "as below, and only in an outage",
    (
        "keys/ledger/engine.py",
        "keys.ledger.postgresql",
    ): "its driver is 9 MiB, which only a gateway on PostgreSQL needs",
    (
        "keys/limits/process_counters.py",
        "keys.limits.redis_counters",
    ): "10 MiB and a quarter of a second at the start, which only a gateway with Redis needs",
    (
        "proxysite/telemetry/switch.py",
        "proxysite.telemetry.sending",
    ): "an eighth of a second and 20 MiB, which only a gateway needs that names a collector",
    (
        "keys/sharing/process_lanes.py",
        "keys.sharing.shared",
    ): "the same as above",
}

LONGEST_MODULE = 400
LISTS_OF_DATA = {"proxysite/settings.py"}

READS_SETTINGS = Path("workers_ai/configured.py")

READS_ENVIRONMENT = {
    Path("proxysite/settings.py"),
    Path("proxysite/setting_readers/plain.py"),
    Path("proxysite/run.py"),
}
NAMING = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'proxysite.settings')"
# Python files that stand in no package.
BESIDE = {Path("gunicorn.conf.py"), Path("manage.py")}
NAMES_SETTINGS = BESIDE | {Path("proxysite/asgi.py")}


def sources(package: str) -> list[Path]:
    """Its files, without what the benchmark has installed in `bench/.cache/`."""
    files = [file.relative_to(ROOT) for file in (ROOT / package).rglob("*.py")]
    return sorted(file for file in files if ".cache" not in file.parts)


def every_source() -> list[Path]:
    return [
        file
        for package in (*sorted(OURS), "bench")
        for file in sources(package)
        if "migrations" not in file.parts
    ]


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
    return {
        name: {used for used in imported_modules(parsed(file), modules) if used != name}
        for name, file in modules.items()
    }


def imported_modules(tree: ast.AST, modules: Collection[str]) -> Iterator[str]:
    """`from keys import models` imports a module, `from keys.models import Key` what is in one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found = name if name in modules else node.module
                if found in modules:
                    yield found


def folders_with_rooms() -> list[str]:
    """Every package, and every folder in one, that has a package of ours in it."""
    rooms = {file.parent for file in every_source() if file.stem == "__init__"}
    parents = {room.parent for room in rooms if not {*room.parts} & DJANGOS}
    return sorted(str(folder) for folder in parents - {Path()})


def room_arrows(folder: str) -> dict[str, set[str]]:
    """Each room of a folder, and each module beside the rooms → those that it imports from."""
    inside = folder.replace("/", ".") + "."
    found: dict[str, set[str]] = {}
    for module, used in arrows(folder.split("/")[0]).items():
        if module.startswith(inside) and not {*module.split(".")} & {"migrations"}:
            room = module.removeprefix(inside).split(".")[0]
            others = {o.removeprefix(inside).split(".")[0] for o in used if o.startswith(inside)}
            found.setdefault(room, set()).update(others - {room})
    return found


def circle(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is left when all are taken away that import nothing more: nothing, without a circle."""
    left = dict(graph)
    while ends := [name for name, used in left.items() if not used & left.keys()]:
        for name in ends:
            del left[name]
    return left


def test_every_folder_with_rooms_has_its_floors() -> None:
    packages = {folder for folder in folders_with_rooms() if folder in OURS}
    assert packages <= set(FLOORS)


@pytest.mark.parametrize("folder", sorted(FLOORS))
def test_every_room_has_its_floor(folder: str) -> None:
    rooms = {
        file.parent.name
        for file in sources(folder)
        if file.stem == "__init__" and file.parent.parent == Path(folder)
    }
    placed = {name for floor in FLOORS[folder] for name in floor}
    assert rooms - placed - DJANGOS <= ON_THE_GROUND, "a room that FLOORS does not name"
    assert placed <= set(room_arrows(folder)), "FLOORS names what is not there"


@pytest.mark.parametrize("folder", sorted(FLOORS))
def test_no_room_imports_from_above(folder: str) -> None:
    height = {name: number for number, floor in enumerate(FLOORS[folder], 1) for name in floor}
    wrong = [
        f"{here} → {there}"
        for here, others in room_arrows(folder).items()
        for there in others
        if height.get(there, 0) >= max(height.get(here, 0), 1)
    ]
    assert wrong == [], "FLOORS has each of the first no higher than what it imports"


@pytest.mark.parametrize("folder", folders_with_rooms())
def test_rooms_have_no_circle(folder: str) -> None:
    assert circle(room_arrows(folder)) == {}, "each of these imports another of them"


@pytest.mark.parametrize("package", sorted(OURS))
def test_modules_have_no_circle(package: str) -> None:
    assert circle(arrows(package)) == {}, "each of these imports another of them"


def test_imports_stand_at_the_top() -> None:
    """Not in a function, nor under a condition: what a file needs is seen at its head."""
    late = set()
    for file in [*every_source(), *BESIDE]:
        tree = parsed(file)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and node not in tree.body:
                late |= {(str(file), name) for name in imports(node)}
    # `from keys import checks` counts as an import of `keys` and of `keys.checks`.
    known = {*IMPORTED_LATE}
    known |= {(file, module.rpartition(".")[0]) for file, module in IMPORTED_LATE}
    unknown = {
        (file, name)
        for file, name in late - known
        if (file, name.rpartition(".")[0]) not in IMPORTED_LATE
    }
    assert unknown == set()
    assert {*IMPORTED_LATE} <= late, "IMPORTED_LATE names what is not there"


def test_the_docs_know_every_room() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    rooms = {
        f"{folder}/{room}/"
        for folder in set(FLOORS) - {"openai_api"}
        for floor in FLOORS[folder]
        for room in floor
        if (ROOT / folder / room / "__init__.py").exists() and room not in DJANGOS | ON_THE_GROUND
    }
    rooms |= {f"{room}/" for room in ("errors", "use", "wire")}
    assert [room for room in sorted(rooms) if f"| `{room}` |" not in page] == []


def test_modules_are_short_enough_to_read() -> None:
    long = {
        str(file)
        for file in every_source()
        if len((ROOT / file).read_text().splitlines()) >= LONGEST_MODULE
    }
    assert long <= LISTS_OF_DATA


def test_every_package_tells_its_job() -> None:
    silent = [
        str(file)
        for file in every_source()
        if file.stem == "__init__" and not {*file.parts} & DJANGOS
        if not ast.get_docstring(parsed(file))
    ]
    assert silent == []


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
