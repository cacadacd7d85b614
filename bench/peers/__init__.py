"""Installs the peers, in exact versions, into a folder apart from the gateway's environment."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache"
FORWARDER_PINS = HERE / "forwarder.txt"
LITELLM_PINS = HERE / "litellm.txt"
# With a newer @hono/node-server every stream of Portkey 1.15 is a 500 ("immutable"), hence the
# override in its package.json.
PORTKEY_PINS = HERE / "portkey"
# A Worker in one file, beside the pins of what it runs in.
WORKER = HERE / "worker"
# LiteLLM asks its database through Prisma's engine. No registry of packages has its native form;
# npm has the same version as WebAssembly.
PRISMA = HERE / "prisma"
INSTALL_LIMIT_S = 900


def forwarder_python() -> Path:
    return CACHE / "forwarder" / "bin" / "python"


def litellm_program() -> Path:
    return CACHE / "litellm" / "bin" / "litellm"


def litellm_package() -> Path:
    return _in_litellm("litellm")


def litellm_migrations() -> list[Path]:
    """What makes the tables, in its order."""
    return sorted(_in_litellm("litellm_proxy_extras").glob("migrations/*/migration.sql"))


def _in_litellm(package: str) -> Path:
    folders = CACHE / "litellm" / "lib"
    return next(folders.glob(f"python3*/site-packages/{package}"), folders / package)


def prisma_engine() -> Path:
    return CACHE / "prisma" / "engine.mjs"


def portkey_script() -> Path:
    package = CACHE / "portkey" / "node_modules" / "@portkey-ai" / "gateway"
    return package / "build" / "start-server.js"


def workerd_program() -> Path:
    """The program itself; the package's own script would be a process of Node around it."""
    packages = CACHE / "worker" / "node_modules"
    found = packages.glob("@cloudflare/workerd-*/bin/workerd")
    return next(found, packages / "workerd")


def forwarder_version() -> str:
    names = ("uvicorn", "aiohttp")
    return ", ".join(f"{name} {_pinned(FORWARDER_PINS, name)}" for name in names)


def litellm_version() -> str:
    return _pinned(LITELLM_PINS, "litellm")


def _pinned(pins: Path, name: str) -> str:
    return next(
        line.partition("==")[2]
        for line in pins.read_text().splitlines()
        if line.startswith(f"{name}==")
    )


def install(*, large: bool) -> dict[str, str]:
    """Installs what is missing, the large ones only when told; peer → why it could not be."""
    wanted = {"forwarder": install_forwarder}
    if large:
        wanted |= {
            "litellm": install_litellm,
            "litellm-team": install_prisma,
            "portkey": install_portkey,
            "worker": install_workerd,
        }
    failures = {}
    for name, install_one in wanted.items():
        try:
            install_one()
        except (OSError, subprocess.SubprocessError) as error:
            told = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
            failures[name] = f"it could not be installed: {(told or str(error))[-300:]}"
    return failures


def install_forwarder() -> None:
    if not forwarder_python().exists() or not _is_fresh(CACHE / "forwarder", FORWARDER_PINS):
        print("Installing what the bare forwarder needs …", flush=True)
        _install_pinned(CACHE / "forwarder", FORWARDER_PINS)


def install_litellm() -> None:
    if not litellm_program().exists() or not _is_fresh(CACHE / "litellm", LITELLM_PINS):
        print("Installing LiteLLM's proxy …", flush=True)
        _install_pinned(CACHE / "litellm", LITELLM_PINS)


def install_prisma() -> None:
    """Prisma's command and engine, and the client that the command writes into LiteLLM's own."""
    folder = CACHE / "prisma"
    client = _in_litellm("prisma") / "client.py"
    is_there = client.exists() and _is_fresh(folder, _lock(PRISMA))
    if not is_there:
        print("Installing Prisma for LiteLLM's database …", flush=True)
        _install_with_npm(folder, PRISMA)
    # With its mode: the client runs it to ask for its version.
    shutil.copy(PRISMA / "engine.mjs", folder)
    if is_there:
        return
    told = {
        # The command finds the client's generator there.
        "PATH": f"{litellm_program().parent}{os.pathsep}{os.environ['PATH']}",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1/nothing",
        # It would fetch what is not named; none of these is run.
        "PRISMA_CLI_QUERY_ENGINE_TYPE": "binary",
        "PRISMA_QUERY_ENGINE_BINARY": str(prisma_engine()),
        "PRISMA_QUERY_ENGINE_LIBRARY": str(prisma_engine()),
        "PRISMA_SCHEMA_ENGINE_BINARY": str(prisma_engine()),
        "CHECKPOINT_DISABLE": "1",
    }
    command = ["node", str(folder / "node_modules" / "prisma" / "build" / "index.js"), "generate"]
    schema = litellm_package() / "proxy" / "schema.prisma"
    _run([*command, "--schema", str(schema)], folder, {**os.environ, **told})
    # 16 MB of Python, which each start would compile anew where it may keep nothing.
    _run([str(litellm_program().parent / "python"), "-m", "compileall", "-q", str(client.parent)])


def _install_pinned(folder: Path, pins: Path) -> None:
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    # The file pins everything, so that pip has nothing to resolve.
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--no-deps"]
    _run([*pip, "--disable-pip-version-check", "-r", str(pins)])
    _mark_fresh(folder, pins)


def install_portkey() -> None:
    if not portkey_script().exists() or not _is_fresh(CACHE / "portkey", _lock(PORTKEY_PINS)):
        print("Installing Portkey's gateway …", flush=True)
        _install_with_npm(CACHE / "portkey", PORTKEY_PINS)


def install_workerd() -> None:
    if not workerd_program().exists() or not _is_fresh(CACHE / "worker", _lock(WORKER)):
        print("Installing workerd …", flush=True)
        _install_with_npm(CACHE / "worker", WORKER)


def _lock(pins: Path) -> Path:
    return pins / "package-lock.json"


def _install_with_npm(folder: Path, pins: Path) -> None:
    """Runs no script of a package: what they would do is not needed."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pins / name, folder / name)
    _run([npm, "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    _mark_fresh(folder, _lock(pins))


def _run(
    command: list[str], folder: Path | None = None, environment: dict[str, str] | None = None
) -> None:
    subprocess.run(
        command,
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        timeout=INSTALL_LIMIT_S,
    )


def _is_fresh(folder: Path, pins: Path) -> bool:
    mark = folder / "installed"
    return mark.exists() and mark.read_text() == _digest(pins)


def _mark_fresh(folder: Path, pins: Path) -> None:
    (folder / "installed").write_text(_digest(pins))


def _digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest()
