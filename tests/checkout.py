"""A copy of the checkout as git has it: what people, programs and `make` left in it stays there."""

import fnmatch
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from tests.made_once import made_once
from tests.needs import ROOT

_IGNORED = [
    Path(line).name for line in (ROOT / ".gitignore").read_text().split() if line != "__pycache__/"
]


def copy_checkout(folder: Path, *, without: Collection[str] = ()) -> None:
    """Copies into a new folder; `without` are names at the top. Bytecode comes along, or each
    process would compile the gateway again."""
    folder.mkdir()
    copied = made_once("checkout", _copy).iterdir()
    wanted = [str(entry) for entry in copied if entry.name not in without]
    # A fifth of what copying takes in Python.
    subprocess.run(["cp", "-a", *wanted, str(folder)], check=True)


def _copy(folder: Path) -> None:
    def left_out(at: str, names: list[str]) -> set[str]:
        ignored = {name for name in names if any(fnmatch.fnmatch(name, one) for one in _IGNORED)}
        if Path(at).name == "__pycache__":
            # What another process is just writing is gone a moment later.
            ignored = {name for name in names if ".pyc." in name}
        return ignored | ({".git"} & set(names) if Path(at) == ROOT else set())

    shutil.copytree(ROOT, folder, ignore=left_out)
