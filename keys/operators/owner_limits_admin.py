"""Owners' limits in the Django admin."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from keys import shown
from keys.models import OwnerLimits
from keys.operators.forms import LIMIT_FIELDSETS, OwnerLimitsForm
from theme.audit import Audited
from theme.model_admin import ModelAdmin
from theme.shown import lines


@admin.register(OwnerLimits)
class OwnerLimitsAdmin(Audited, ModelAdmin):
    form = OwnerLimitsForm
    list_display = ("owner", "limits")
    list_select_related = ("owner",)
    search_fields = ("owner__username",)
    when_empty = "Limits of an owner apply to all keys of the owner together."
    add_words = "Limit an owner"
    search_help_text = "Name of an owner"
    fieldsets: ClassVar = [(None, {"fields": ["owner", "max_keys"]}), *LIMIT_FIELDSETS]

    def get_readonly_fields(self, request: HttpRequest, obj: OwnerLimits | None = None) -> Any:
        # The owner is the primary key: changing it would make a second row.
        return () if obj is None else ("owner",)

    @admin.display(description="limits")
    def limits(self, limits: OwnerLimits) -> SafeString:
        return lines(shown.limit_texts(limits.limits), "none")
