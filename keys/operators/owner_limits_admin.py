"""Owners' limits in the Django admin."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from keys.models import OwnerLimits
from keys.operators.forms import LIMIT_FIELDSETS, OwnerLimitsForm
from keys.operators.holder_list import OwnerList, limits_shown
from keys.operators.limit_tables import LimitsOfOwner
from keys.operators.one_at_a_time import OneAtATime
from theme.audit import Audited
from theme.model_admin import ModelAdmin


@admin.register(OwnerLimits)
class OwnerLimitsAdmin(OneAtATime, Audited, ModelAdmin):
    form = OwnerLimitsForm
    inlines = (LimitsOfOwner,)
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
        return limits_shown(limits)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[OwnerList]:
        return OwnerList
