"""System checks of the database itself."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
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
