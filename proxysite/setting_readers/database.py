"""DATABASE_URL as Django's settings."""

import contextlib
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import Env

from proxysite.setting_readers.network import scheme_of
from proxysite.setting_readers.plain import bad_setting

# Where paths of files begin that are not absolute: a command of cron runs in any folder.
_FOLDER: Final = Path(__file__).resolve().parents[2]
_SQLITE_OPTIONS: Final = {"timeout", "cached_statements", "init_command", "transaction_mode"}


def database(database_url: str) -> dict[str, Any]:
    """With what the two engines need to work under many writers."""
    config: dict[str, Any] = {}
    # Other engines would be accepted, or reported in a warning that quotes the whole URL.
    if re.match(r"(sqlite:///|postgres(ql)?://)", database_url):
        with contextlib.suppress(ValueError, KeyError, ImproperlyConfigured):
            config = Env.db_url_config(database_url)
    options = config.get("OPTIONS", {})
    if config.get("ENGINE") == "django.db.backends.sqlite3":
        config["NAME"] = _file(database_url, config["NAME"], options)
        config["OPTIONS"] = {
            # Writers wait for the lock at their start, not to fail when they upgrade a read.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            **options,
        }
    elif config.get("ENGINE") == "django.db.backends.postgresql":
        if not config["NAME"] and "service" not in options:
            raise _bad(database_url, "a name after the server's address: postgres://HOST/NAME")
        # libpq's way to write the folder of a socket in the place of a host.
        host = urlsplit(database_url).netloc.rpartition("@")[2]
        if host.lower().startswith("%2f"):
            config["HOST"] = unquote(host.partition(":")[0])
        # A pooler such as PgBouncer may give each statement another of its connections, so nothing
        # outlives a transaction; what is read in one go fits in memory.
        config["DISABLE_SERVER_SIDE_CURSORS"] = True
        config["OPTIONS"] = {
            # A server that stopped answering, or moved to another host, is given up in this time;
            # TCP itself would take a quarter of an hour. Seconds, but for the last one.
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 15_000,
            **options,
        }
    else:
        raise _bad(database_url, "a sqlite:/// or postgres:// URL")
    return config


def _file(database_url: str, name: str, options: dict[str, Any]) -> str:
    """SQLite's, as a path from any folder."""
    if name == ":memory:":
        # Each of a worker's connections would have one of its own.
        raise _bad(database_url, "a file: sqlite:////data/gateway.sqlite3")
    if unknown := sorted(options.keys() - _SQLITE_OPTIONS):
        raise _bad(database_url, f"no {unknown[0]!r} for SQLite, only timeout=20")
    if not isinstance(options.get("timeout", 20), int):
        raise _bad(database_url, "whole seconds as its timeout")
    return str(_FOLDER / name)


def _bad(database_url: str, takes: str) -> ImproperlyConfigured:
    # What follows may hold a password.
    return bad_setting("DATABASE_URL", scheme_of(database_url), takes)
