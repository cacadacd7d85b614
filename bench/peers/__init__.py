"""Peers, in exact versions and in a folder of their own, away from the gateway's environment."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache"
LITELLM_PINS = HERE / "litellm.txt"
# With a newer @hono/node-server every stream of Portkey 1.15 is a 500 ("immutable"), hence the
# override in its package.json.
PORTKEY_PINS = HERE / "portkey"
INSTALL_LIMIT_S = 900


def litellm_program() -> Path:
    return CACHE / "litellm" / "bin" / "litellm"


def portkey_script() -> Path:
    package = CACHE / "portkey" / "node_modules" / "@portkey-ai" / "gateway"
    return package / "build" / "start-server.js"


def litellm_version() -> str:
    return next(
        line.partition("==")[2]
        for line in LITELLM_PINS.read_text().splitlines()
        if line.startswith("litellm==")
    )


def install() -> dict[str, str]:
    """Installs what is missing; peer → why it could not be installed."""
    failures = {}
    for name, install_one in (("litellm", install_litellm), ("portkey", install_portkey)):
        try:
            install_one()
        except (OSError, subprocess.SubprocessError) as error:
            told = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
            failures[name] = f"it could not be installed: {(told or str(error))[-300:]}"
    return failures


def install_litellm() -> None:
    folder = CACHE / "litellm"
    if litellm_program().exists() and _is_fresh(folder, LITELLM_PINS):
        return
    print("Installing LiteLLM's proxy …", flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    # The file names everything, so that pip has nothing to choose.
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--no-deps"]
    _run([*pip, "--disable-pip-version-check", "-r", str(LITELLM_PINS)])
    _mark_fresh(folder, LITELLM_PINS)


def install_portkey() -> None:
    folder = CACHE / "portkey"
    lock = PORTKEY_PINS / "package-lock.json"
    if portkey_script().exists() and _is_fresh(folder, lock):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    print("Installing Portkey's gateway …", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PORTKEY_PINS / name, folder / name)
    _run([npm, "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    _mark_fresh(folder, lock)


def _run(command: list[str], folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=INSTALL_LIMIT_S)


def _is_fresh(folder: Path, pins: Path) -> bool:
    mark = folder / "installed"
    return mark.exists() and mark.read_text() == _digest(pins)


def _mark_fresh(folder: Path, pins: Path) -> None:
    (folder / "installed").write_text(_digest(pins))


def _digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest()
