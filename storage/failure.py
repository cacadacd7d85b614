"""A failure of the database as the one line of a command that ends with it."""

from typing import Final

from django.db.utils import Error

from storage import migrated
from storage.words import engine_words

NOT_THE_OWNER: Final = "permission denied for schema"


def in_one_line(error: Error) -> str:
    """The engine's words, and where it lacks migrations also that."""
    try:
        missing = migrated.problem()
    except Error:
        missing = ""
    said = f"The database cannot be used: {engine_words(error)}"
    if NOT_THE_OWNER in said:
        # As everywhere since PostgreSQL 15, but for the owner of the database.
        return f"{said}: ALTER DATABASE … OWNER TO the account of DATABASE_URL"
    return f"{said} ({missing})" if missing else said
