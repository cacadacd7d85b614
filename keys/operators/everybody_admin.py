"""The limits of all keys together in the Django admin: one page, without a list."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from keys.models import Everybody
from keys.operators.limit_tables import LimitsOfEverybody
from keys.operators.one_at_a_time import OneAtATime
from theme.audit import Audited
from theme.model_admin import ModelAdmin


class EverybodyForm(forms.ModelForm):
    """The limits are the only fields."""

    class Meta:
        model = Everybody
        fields: ClassVar[list[str]] = []


@admin.register(Everybody)
class EverybodyAdmin(OneAtATime, Audited, ModelAdmin):
    inlines = (LimitsOfEverybody,)
    form = EverybodyForm
    list_words = "Everybody's limits"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        page = reverse("admin:keys_everybody_change", args=[Everybody.row().pk])
        return HttpResponseRedirect(page)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
