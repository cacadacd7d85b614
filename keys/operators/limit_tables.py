"""Limits as a small table on the admin's pages of their holders, with what is used of each."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.checks import InlineModelAdminChecks
from django.contrib.admin.utils import flatten_fieldsets
from django.forms.models import modelformset_factory
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from keys.held_limits import Subject
from keys.models import Limit
from keys.operators.limit_forms import LimitForm, LimitFormSet
from keys.reports.budget_bars import bar_of
from keys.reports.limit_use import LimitUse, read_use
from keys.reports.limits_in_force import limits_of_one
from keys.scopes import HolderKind
from theme.model_admin import TabularInline


class LimitTableChecks(InlineModelAdminChecks):
    """A limit names its holder by kind and id, so there is no foreign key to check."""

    def _check_exclude_of_parent_model(self, obj: Any, parent_model: Any) -> list[Any]:
        return []

    def _check_relation(self, obj: Any, parent_model: Any) -> list[Any]:
        return []


class LimitTable(TabularInline):
    """May be changed by whoever may change the holder."""

    model = Limit
    form = LimitForm
    formset = LimitFormSet
    checks_class = LimitTableChecks
    fields = ("at_most", "kind", "models", "used")
    readonly_fields = ("used",)
    extra = 1
    hide_title = True
    template_after = "admin/keys/raise_link.html"
    verbose_name = "limit"
    verbose_name_plural = "More limits"
    holder_kind: HolderKind
    # Django makes a table for each request.
    _uses: dict[Subject, LimitUse] | None = None

    @admin.display(description="Used now")
    def used(self, limit: Limit) -> SafeString | str:
        if limit.pk is None:
            return "–"
        if self._uses is None:
            uses = read_use(limits_of_one(self.holder_kind, limit.holder_id))
            self._uses = {use.limit.subject: use for use in uses}
        use = self._uses.get(limit.subject)
        if use is None or use.used is None:
            return "–"
        shown = render_to_string(
            "admin/keys/limit_use.html", {"bar": bar_of(use, with_models=False)}
        )
        return mark_safe(shown)  # a template, which escapes

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        kind = self.holder_kind
        may = {
            "may_add": self.has_add_permission(request, obj),
            "may_change": self.has_change_permission(request, obj),
        }
        made = modelformset_factory(
            Limit,
            form=type("HoldersLimit", (self.form,), may),
            formset=type("HoldersLimits", (LimitFormSet,), {"holder_kind": kind}),
            formfield_callback=partial(self.formfield_for_dbfield, request=request),
            fields=[
                name
                for name in flatten_fieldsets(self.get_fieldsets(request, obj))
                if name not in self.readonly_fields
            ],
            extra=self.get_extra(request, obj) if may["may_add"] else 0,
            can_delete=self.has_delete_permission(request, obj),
        )
        return made

    def _may_change(self, request: HttpRequest, obj: Any) -> bool:
        holder = self.admin_site.get_model_admin(self.parent_model)
        return holder.has_change_permission(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        holder = self.admin_site.get_model_admin(self.parent_model)
        return holder.has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        holder = self.admin_site.get_model_admin(self.parent_model)
        if obj is None or obj.pk is None:
            return holder.has_add_permission(request)
        return self._may_change(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_change(request, obj)


class TableOfKey(LimitTable):
    """Not for changing once the key is revoked."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_revoked = obj is not None and obj.revoked_at is not None
        return not is_revoked and super().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_revoked = obj is not None and obj.revoked_at is not None
        return not is_revoked and super().has_add_permission(request, obj)


class LimitsOfKey(TableOfKey):
    holder_kind = "key"


class LimitsOfUsers(TableOfKey):
    holder_kind = "user"
    verbose_name_plural = "Limits of each user behind this key"


class LimitsOfOwner(LimitTable):
    holder_kind = "owner"


class LimitsOfTeam(LimitTable):
    holder_kind = "team"
    verbose_name_plural = "Limits"


class LimitsOfEverybody(LimitTable):
    holder_kind = "everybody"
    verbose_name_plural = "Limits of all keys together"
