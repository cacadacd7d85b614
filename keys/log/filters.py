"""Filters of the request log. Each offers links without a query over the log's values."""

from collections.abc import Iterable
from datetime import UTC, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from keys.log.sought import STATUS_CLASSES, sought
from keys.log.walk import Sought
from keys.models import ENDPOINTS, Key, RequestLog, Team

# For how many keys, owners and models a filter offers a link.
FILTER_CHOICES = 100
# For how many sessions and agents, and of how many newest requests.
SESSION_CHOICES = 15
NEWEST = 1_000


class LogFilter(admin.SimpleListFilter):
    """A link for each value, without a query for the values that the log contains."""

    def has_output(self) -> bool:
        # An active filter must not disappear because its value, such as a deleted key, has no link.
        return self.value() is not None or super().has_output()

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[RequestLog]
    ) -> QuerySet[RequestLog]:
        """Unchanged: `LogPage` searches for the conditions of all filters together."""
        return queryset

    def sought(self) -> Sought:
        value = self.value()
        return Sought() if value is None else sought(str(self.parameter_name), value)


class KeyFilter(LogFilter):
    title = "key"
    parameter_name = "key"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        keys = Key.objects.order_by("name").values_list("pk", "name")[:FILTER_CHOICES]
        return [(str(pk), name) for pk, name in keys]


class OwnerFilter(LogFilter):
    title = "owner"
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        owners = get_user_model().objects.filter(pk__in=Key.objects.values("owner_id"))
        names = owners.order_by("username").values_list("pk", "username")[:FILTER_CHOICES]
        return [(str(pk), name) for pk, name in names]


class TeamFilter(LogFilter):
    """Rows of those who were in the team at the time."""

    title = "team"
    parameter_name = "team"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        teams = Team.objects.order_by("name").values_list("pk", "name")[:FILTER_CHOICES]
        return [(str(pk), name) for pk, name in teams]


class UserFilter(LogFilter):
    """Of a link on another page, since there may be any number of them."""

    title = "person behind the key"
    parameter_name = "user"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return []

    def choices(self, changelist: Any) -> Any:
        yield from super().choices(changelist)
        chosen = changelist.get_query_string({self.parameter_name: self.value()})
        yield {"selected": True, "query_string": chosen, "display": self.value()}


class ModelFilter(LogFilter):
    title = "model"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """One step in the index for each model; DISTINCT would read the whole index."""
        found: list[tuple[str, str]] = []
        names = RequestLog.objects.order_by("model").values_list("model", flat=True)
        name = names.filter(model__gt="").first()
        while name is not None and len(found) < FILTER_CHOICES:
            found.append((name, name))
            name = names.filter(model__gt=name).first()
        return found


class SessionFilter(LogFilter):
    """The sessions of the newest requests; a link from anywhere else can name any."""

    title = "session"
    parameter_name = "session"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, shortened(name)) for name in _newest("session", SESSION_CHOICES)]

    def choices(self, changelist: Any) -> Any:
        return with_chosen(self, super().choices(changelist), changelist)


class AgentFilter(LogFilter):
    title = "agent"
    parameter_name = "agent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, shortened(name)) for name in _newest("agent", SESSION_CHOICES)]

    def choices(self, changelist: Any) -> Any:
        return with_chosen(self, super().choices(changelist), changelist)


def _newest(column: str, most: int) -> list[str]:
    """The values of a column in the newest requests, each once."""
    rows = RequestLog.objects.order_by("-started_at", "-id").values_list(column, flat=True)
    return [value for value in dict.fromkeys(rows[:NEWEST]) if value][:most]


def shortened(name: str) -> str:
    """A session's name for a narrow column: the ends tell UUIDs apart."""
    return name if len(name) <= 20 else f"{name[:8]}…{name[-8:]}"


def with_chosen(chosen: LogFilter, choices: Iterable[Any], changelist: Any) -> Iterable[Any]:
    """With a value that a link on another page asks for."""
    yield from choices
    value = chosen.value()
    if value is not None and value not in dict(chosen.lookup_choices):
        query = changelist.get_query_string({chosen.parameter_name: value})
        yield {"selected": True, "query_string": query, "display": value}


class EndpointFilter(LogFilter):
    title = "endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in ENDPOINTS]


class StatusFilter(LogFilter):
    title = "status"
    parameter_name = "status_class"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(value, label) for value, (label, _) in STATUS_CLASSES.items()]


class ErrorFilter(LogFilter):
    title = "error"
    parameter_name = "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        failed = RequestLog.objects.filter(status__gte=400).order_by("-started_at", "-id")
        codes = set(failed.values_list("error_code", flat=True)[:NEWEST])
        return [(code, code) for code in sorted(codes) if code]


class StreamFilter(LogFilter):
    title = "stream"
    parameter_name = "stream"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("yes", "yes"), ("no", "no")]


class DayFilter(LogFilter):
    title = "day (UTC)"
    parameter_name = "day"
    _DAYS = 14

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        today = timezone.now().astimezone(UTC).date()
        days = [today - timedelta(days=ago) for ago in range(self._DAYS)]
        return [(day.isoformat(), f"{day:%a %d %b}") for day in days]

    def choices(self, changelist: Any) -> Any:
        return with_chosen(self, super().choices(changelist), changelist)
