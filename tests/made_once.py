"""What takes seconds to make and is the same for every process of a test run."""

import fcntl
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.environment import SHARED


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The path that `make` wrote to, a file or a folder: the first process to ask makes it, and
    others wait for it meanwhile."""
    path = SHARED / name
    with (SHARED / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            # Under its name once it is whole.
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=SHARED))
            # A server that runs as another account reaches its files.
            folder.chmod(0o755)
            unfinished = folder / "made"
            make(unfinished)
            unfinished.rename(path)
    return path
