"""Whether the database has every migration that this code needs."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

Name = tuple[str, str]

HOW: Final = "run manage.py migrate"


@cache
def _needed() -> Mapping[Name, frozenset[Name]]:
    """Each migration of this code, and those that stand for it together. Read once."""
    on_disk = MigrationLoader(None).disk_migrations
    return {name: frozenset(migration.replaces) for name, migration in on_disk.items()}


def unapplied() -> list[Name]:
    """What `migrate` would apply. Asks the database, whose errors go to the caller. A database that
    is ahead, because a newer release runs beside this one, lacks nothing."""
    applied = MigrationRecorder(connection).applied_migrations().keys()
    needed = _needed()
    replaced = {each for name in applied & needed.keys() for each in needed[name]}
    return sorted(
        name
        for name, instead in needed.items()
        if name not in applied and name not in replaced and not (instead and instead <= applied)
    )


def problem() -> str:
    """One line that says how many are missing and what to do; empty when none is."""
    missing = len(unapplied())
    if not missing:
        return ""
    return f"{missing} migration{' is' if missing == 1 else 's are'} not applied: {HOW}"
