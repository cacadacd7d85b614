"""What a failed database said, in one line of its own words.

`engine_words` is for operators: logs and commands. `public_words` is for whoever may ask `/readyz`
and has no business with addresses and names. Neither ever holds the password.
"""

import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from django.db import DataError, IntegrityError, connections
from django.db.utils import Error

from storage.sqlite_file import why_unusable

# Longer texts are statements that an engine repeats.
_LONGEST: Final = 500
HIDDEN: Final = "[hidden]"

# libpq's, before the server's own words.
_WHERE: Final = re.compile(
    r"(?:connection failed: )?connection to server (?:at|on socket) .*? failed: ", re.IGNORECASE
)
_PATH: Final = re.compile(r"(?<![\w:])/[^\s\"',;:]+")


def is_outage(error: BaseException | None) -> bool:
    """Whether the database cannot be used at all, as far as `error` tells: it is away, full, locked
    or not migrated. A value that it does not take is no such case: that is somebody's mistake."""
    return isinstance(error, Error) and not isinstance(error, DataError | IntegrityError)


def outage_behind(error: BaseException | None) -> BaseException | None:
    """The outage that `error` is, or that it was raised for."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if is_outage(error):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def engine_words(error: BaseException) -> str:
    """One line: what the engine said; of an error that is not the database's, only its class."""
    lines = _lines(error)
    if not lines:
        return type(error).__name__
    # What follows repeats the statement, or is advice; after a colon comes each host's own failure.
    text = " ".join(lines) if lines[0].endswith(":") else lines[0]
    settings = connections["default"].settings_dict
    if settings["ENGINE"].endswith("sqlite3"):
        text = why_unusable(Path(settings["NAME"]), text) or text
    return _without(text, _password())[:_LONGEST]


def public_words(error: BaseException) -> str:
    """As `engine_words`, without hosts, users, names of databases and paths."""
    lines = _lines(error)
    if not lines:
        return type(error).__name__
    # Of several hosts that were tried the last stands for all.
    text = next((_WHERE.split(line)[-1] for line in lines[::-1] if _WHERE.search(line)), lines[0])
    settings = connections["default"].settings_dict
    names = (str(settings.get(name) or "") for name in ("HOST", "USER", "NAME"))
    text = _without(text, [*_password(), *(name for name in names if len(name) > 1)])
    return _PATH.sub(HIDDEN, text)[:_LONGEST]


def _lines(error: BaseException) -> list[str]:
    said = str(error) if isinstance(error, Error) else ""
    return [line.strip() for line in said.splitlines() if line.strip()]


def _password() -> list[str]:
    password = str(connections["default"].settings_dict.get("PASSWORD") or "")
    return [password, quote(password, safe="")] if password else []


def _without(text: str, secrets: list[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        # In quotes, or as a word: a user called "a" must not cost every "a".
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text
