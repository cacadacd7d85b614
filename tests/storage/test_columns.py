"""New columns of tables that may be large."""

from django.db.migrations import AddField
from django.db.migrations.loader import MigrationLoader

from storage.columns import AddColumn

LARGE = {"requestlog", "daytotal", "monthtotal", "teamtotal", "capturedtext"}
# The first migration of the release after the one whose workers may still run.
SINCE = "0013"


def test_a_new_column_of_a_large_table_is_no_new_table_on_sqlite() -> None:
    """Django copies the whole table for a column that is not null, and nobody can write until then:
    15 seconds for a million rows."""
    migrations = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    copied = [
        f"{name}: {operation.model_name}.{operation.name}"
        for (app, name), migration in migrations.items()
        if app == "keys" and name >= SINCE
        for operation in migration.operations
        if isinstance(operation, AddField) and operation.model_name_lower in LARGE
        if not operation.field.null and not isinstance(operation, AddColumn)
    ]
    assert copied == [], "an AddColumn (storage/columns.py) adds it in place"
