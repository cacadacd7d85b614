"""The filters of the list of keys."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from keys.key_states import KEY_STATES, of_state
from keys.models import Key
from keys.reports.limit_use import NEAR_PERCENT
from keys.reports.near_limits import near_limits

UNUSED_DAYS: Final = 30
EXPIRING_DAYS: Final = 14


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(state, state) for state in KEY_STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> QuerySet[Key]:
        state = self.value()
        return queryset.filter(of_state(state)) if state in KEY_STATES else queryset


class YesFilter(admin.SimpleListFilter):
    """A filter that is either on or off."""

    words = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("yes", self.words)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> QuerySet[Key]:
        return queryset.filter(self.condition()) if self.value() == "yes" else queryset

    def condition(self) -> Q:
        raise NotImplementedError


class NearLimitFilter(YesFilter):
    title = "budget"
    parameter_name = "near"
    words = f"used to {NEAR_PERCENT}% or more"

    def condition(self) -> Q:
        return Q(pk__in=[near.key_id for near in near_limits() if near.key_id is not None])


class UnusedFilter(YesFilter):
    title = "use"
    parameter_name = "unused"
    words = f"none for {UNUSED_DAYS} days"

    def condition(self) -> Q:
        since = timezone.now() - timedelta(days=UNUSED_DAYS)
        never = Q(last_used_at=None, created_at__lt=since)
        return Q(revoked_at=None) & (never | Q(last_used_at__lt=since))


class ExpiringFilter(YesFilter):
    title = "expiry"
    parameter_name = "expiring"
    words = f"within {EXPIRING_DAYS} days"

    def condition(self) -> Q:
        now = timezone.now()
        until = now + timedelta(days=EXPIRING_DAYS)
        return Q(revoked_at=None, expires_at__gt=now, expires_at__lte=until)
