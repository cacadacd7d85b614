"""Why SQLite's file cannot be used: SQLite says "unable to open database file" for most of it."""

import os
import stat
from pathlib import Path
from typing import Final

_SAID_OF_FILES: Final = (
    "unable to open database file",
    "attempt to write a readonly database",
    "disk I/O error",
)


def why_unusable(path: Path, said: str) -> str:
    """One line with the path, who this process is, and what is missing; empty when what SQLite
    `said` is about something else, or nothing is missing."""
    if not any(words in said for words in _SAID_OF_FILES):
        return ""
    missing = _missing(path)
    return f"{path} cannot be used by uid {os.geteuid()}: {missing}" if missing else ""


def _missing(path: Path) -> str:
    folder = path.absolute().parent
    for above in (*reversed(folder.parents), folder):
        if not above.exists():
            return f"the folder {above} does not exist"
        if not above.is_dir():
            return f"{above} is not a folder"
        if not _may(above, os.X_OK):
            return f"it may not enter the folder {_of(above)}"
    if path.is_dir():
        return "it is a folder"
    if path.exists() and not _may(path, os.R_OK):
        return f"it may not read {_of(path)}"
    for place in (path, folder) if path.exists() else (folder,):
        if _may(place, os.W_OK):
            continue
        if os.statvfs(place).f_flag & os.ST_RDONLY:
            return f"the file system of {folder} is read-only"
        if place == folder:
            return f"it may not write in the folder {_of(place)}, where SQLite keeps its journal"
        return f"it may not write {_of(place)}"
    return ""


def _may(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)


def _of(path: Path) -> str:
    found = path.stat()
    return f"{path} (of uid {found.st_uid}, mode {stat.S_IMODE(found.st_mode):o})"
