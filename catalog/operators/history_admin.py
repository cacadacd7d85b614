"""What refreshes did: each change of a model, and each run with all its changes."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from catalog.models import CatalogChange, RefreshRun
from theme.model_admin import ReadOnlyAdmin
from theme.shown import indented_json


@admin.register(CatalogChange)
class CatalogChangeAdmin(ReadOnlyAdmin):
    list_display = ("at", "model_name", "kind", "text")
    when_empty = "What the next refresh changes shows here."
    list_filter = ("kind", "at")
    search_fields = ("model_name",)
    fields = ("at", "model_name", "kind", "text", "what_json", "run")
    readonly_fields = ("what_json",)

    @admin.display(description="before and after")
    def what_json(self, change: CatalogChange) -> SafeString:
        return indented_json(change.what)


@admin.register(RefreshRun)
class RefreshRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "ok", "trigger", "forced", "summary", "error")
    when_empty = "Refresh now, above the list of models, makes the first run."
    list_filter = ("ok", "trigger")
    change_form_template = "admin/catalog/refreshrun/change_form.html"

    def object_context(self, request: HttpRequest, run: RefreshRun) -> dict[str, Any]:
        return {"changes": run.changes.all()}
