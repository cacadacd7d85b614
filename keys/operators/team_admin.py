"""Teams in the Django admin, with their members and leads."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from keys.models import Membership, Team
from keys.operators.holder_list import TeamList, limits_shown
from keys.operators.limit_tables import LimitsOfTeam
from keys.operators.one_at_a_time import OneAtATime
from theme.audit import Audited
from theme.model_admin import ModelAdmin, TabularInline, moment_column

NAMES_SHOWN: Final = 8


class MembershipInline(TabularInline):
    model = Membership
    hide_title = True
    fields = ("user", "is_lead")
    extra = 1
    verbose_name_plural = "members"
    ordering = ("user__username",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """With names that screen readers read: the heads of the columns are none."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.widget.attrs["aria-label"] = {"user": "Member", "is_lead": "Lead"}[db_field.name]
        return field

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user")


@admin.register(Team)
class TeamAdmin(OneAtATime, Audited, ModelAdmin):
    list_display = ("name", "leads", "members", "limits", "created")
    inlines = (MembershipInline, LimitsOfTeam)
    fields = ("name", "notes", "uses_reserve")
    search_fields = ("name", "notes", "memberships__user__username")
    search_help_text = "Name, notes, or name of a member"
    when_empty = "A team's limits apply to all keys of its members together."
    add_words = "Add a team"
    list_per_page = 50
    created = staticmethod(moment_column("created_at", "created"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        members = Membership.objects.select_related("user").order_by("user__username")
        return super().get_queryset(request).prefetch_related(Prefetch("memberships", members))

    @admin.display(description="members")
    def members(self, team: Team) -> str:
        return _names([each for each in team.memberships.all() if not each.is_lead])

    @admin.display(description="leads")
    def leads(self, team: Team) -> str:
        return _names([each for each in team.memberships.all() if each.is_lead])

    @admin.display(description="limits")
    def limits(self, team: Team) -> SafeString:
        return limits_shown(team)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TeamList]:
        return TeamList


def _names(members: list[Membership]) -> str:
    names = [str(member) for member in members[:NAMES_SHOWN]]
    more = len(members) - len(names)
    return ", ".join([*names, f"{more} more"] if more else names) or "–"
