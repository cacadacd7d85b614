"""What refreshes did: each change of a model, and each run with all its changes."""

from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from catalog.models import CatalogChange, RefreshRun
from theme.model_admin import ReadOnlyAdmin, moment_column
from theme.shown import indented_json, tag

AT: Final = moment_column("at", "when")
STARTED: Final = moment_column("started_at", "started")


@admin.register(CatalogChange)
class CatalogChangeAdmin(ReadOnlyAdmin):
    list_display = (AT, "model_name", "kind", "told")
    when_empty = "What a refresh changes appears here."
    list_filter = ("kind", "at")
    search_fields = ("model_name",)
    fields = (AT, "model_name", "kind", "told", "what_json", "run")
    readonly_fields = (AT, "told", "what_json")
    search_help_text = "Name of a model"

    @admin.display(description="what changed")
    def told(self, change: CatalogChange) -> str:
        return change.text

    @admin.display(description="before and after")
    def what_json(self, change: CatalogChange) -> SafeString:
        return indented_json(change.what)


@admin.register(RefreshRun)
class RefreshRunAdmin(ReadOnlyAdmin):
    list_display = (STARTED, "result", "trigger", "told")
    when_empty = "Use Refresh now, above the list of models, for the first run."
    list_filter = ("ok", "trigger")
    change_form_template = "admin/catalog/refreshrun/change_form.html"

    @admin.display(description="result", ordering="ok")
    def result(self, run: RefreshRun) -> SafeString:
        if run.ok is None:
            return tag("unfinished", "warn")
        return tag("done", "good") if run.ok else tag("failed", "bad")

    @admin.display(description="what changed, or why it failed")
    def told(self, run: RefreshRun) -> str:
        return run.summary or run.error

    def object_context(self, request: HttpRequest, run: RefreshRun) -> dict[str, Any]:
        return {"changes": run.changes.all()}
