"""A failure of the database as the one line of a command that ends with it."""

from django.db.utils import Error

from storage import migrated
from storage.words import engine_words


def in_one_line(error: Error) -> str:
    """The engine's words, and where it lacks migrations also that."""
    try:
        missing = migrated.problem()
    except Error:
        missing = ""
    said = f"The database cannot be used: {engine_words(error)}"
    return f"{said} ({missing})" if missing else said
