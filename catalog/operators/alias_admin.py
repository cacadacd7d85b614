"""Aliases in the admin: their own list, and the rows of them in a model's form."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from catalog.models import MOST_FALLBACKS, Alias, Fallback
from theme.audit import Audited
from theme.model_admin import ModelAdmin, TabularInline, moment_column


class AliasInline(TabularInline):
    model = Alias
    extra = 1
    fields = ("alias",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # The table's head is no label for a screen reader.
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.widget.attrs["aria-label"] = "Alias"
        return field


class FallbackInline(TabularInline):
    model = Fallback
    extra = 1
    max_num = MOST_FALLBACKS
    fields = ("position", "target")
    verbose_name = "fallback"
    verbose_name_plural = "fallbacks: asked in this order when the model above cannot answer"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.widget.attrs["aria-label"] = f"Fallback: {db_field.verbose_name}"
        return field


CREATED: Final = moment_column("created_at", "created")


@admin.register(Alias)
class AliasAdmin(Audited, ModelAdmin):
    list_display = ("alias", "target", "then", CREATED)
    when_empty = "An alias lets clients call a model by another name, such as gpt-4o."
    list_select_related = ("target",)
    inlines = (FallbackInline,)
    search_fields = ("alias", "target__name")
    fields = ("alias", "target", CREATED)
    readonly_fields = (CREATED,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alias]:
        return super().get_queryset(request).prefetch_related("fallbacks__target")

    @admin.display(description="then")
    def then(self, alias: Alias) -> str:
        return ", ".join(map(str, alias.fallbacks.all())) or "–"
