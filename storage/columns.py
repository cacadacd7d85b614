"""Adds a column to a large table without copying the table."""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddField


class AddColumn(AddField):
    """`AddField` for a column that is null or has a constant `db_default`, which both engines add
    without reading a row. Django would copy the whole table on SQLite where it is not null."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            BaseDatabaseSchemaEditor.add_field(
                schema_editor, model, model._meta.get_field(self.name)
            )
