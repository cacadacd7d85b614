"""System checks of the database itself."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection
from django.db.utils import Error as DatabaseError

from storage import migrated
from storage.words import engine_words


# For deployments only: `migrate` checks the database before it begins, and must not be told this.
@register(Tags.database, deploy=True)
def check_migrated(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    if "default" not in (databases or ()):
        return []
    try:
        problem = migrated.problem()
    except DatabaseError as error:
        return [Error(f"The database cannot be used: {engine_words(error)}", id="storage.E001")]
    return [Error(f"{problem}.", id="storage.E002")] if problem else []


@register(Tags.database)
def check_encoding(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Before `migrate` fills it: no other encoding has all that names are made of."""
    if "default" not in (databases or ()) or connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_encoding")
        encoding = cursor.fetchone()[0]
    # SQL_ASCII keeps bytes as they are, so it has all of them.
    if encoding in ("UTF8", "SQL_ASCII"):
        return []
    return [
        Error(
            f"The database's encoding is {encoding}: the gateway takes UTF8.",
            hint="CREATE DATABASE gateway ENCODING 'UTF8' TEMPLATE template0;",
            id="storage.E003",
        )
    ]
