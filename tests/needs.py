"""What a few tests need and a machine may lack: they are skipped there, and fail in CI."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent
# `make tools` puts programs there.
TOOLS = ROOT / ".tools" / "bin"


def program(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails where CI is set."""
    # Debian keeps PostgreSQL's server out of PATH, in a folder for each version.
    folders = [
        os.environ.get("PATH", ""),
        *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"))),
        str(TOOLS),
    ]
    found = shutil.which(name, path=os.pathsep.join(folders))
    return found or lacks(f"{name} is not installed")


def node_package(name: str) -> Path:
    """The folder of a Node package that `npm install` put into the checkout."""
    folder = ROOT / "tests" / "contract" / "node" / "node_modules" / name
    return folder if folder.is_dir() else lacks(f"the Node package {name} is not installed")


def lacks(reason: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{reason}, which CI must have")
    pytest.skip(reason)
