"""The file of settings, `.env`, as compose, shells and editors write it."""

import io
import os
import re
from pathlib import Path
from typing import Final

from environ import Env

from proxysite.setting_readers.plain import SettingError, text

_SETTING: Final = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
# A value in quotes, or one that ends at " #".
_VALUE: Final = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*')\s*(?:\#.*)?|(.*?)(?:\s+\#.*)?""")


def read_settings_file(default: Path) -> None:
    """Adds to the environment, which comes first, what ENV_FILE has, or else `default`, which may
    be missing."""
    named = text("ENV_FILE")
    path = Path(named) if named else default
    if not named and not path.exists():
        return
    try:
        # With or without the mark that editors of Windows put at the beginning.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise SettingError(
            f"The settings in {path} cannot be read by uid {os.geteuid()} ({error.strerror})."
        ) from None
    except UnicodeDecodeError:
        raise SettingError(f"The settings in {path} cannot be read: they are no UTF-8.") from None
    Env.read_env(io.StringIO("\n".join(_plain_lines(path, lines))))


def _plain_lines(path: Path, lines: list[str]) -> list[str]:
    """`NAME=value` each. No message quotes a line, which may hold a secret."""
    plain = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        found = _SETTING.fullmatch(line)
        if found is None:
            raise SettingError(f"Line {number} of {path} cannot be read: it takes NAME=value.")
        name, value = found.groups()
        in_quotes, bare = _VALUE.fullmatch(value).groups()  # type: ignore[union-attr]
        plain.append(f"{name}={in_quotes or bare.strip()}")
    return plain
