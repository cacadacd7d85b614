"""The list of alerts: what is open, what was told and when, and what each channel answered."""

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from alerts import links, store
from alerts.channels import named
from alerts.findings import EVENTS
from alerts.models import Alert
from theme.model_admin import ReadOnlyAdmin, moment_column
from theme.shown import noted, tag

OPENED: Final = moment_column("opened_at", "when")
_STATES: Final = {"open": "Open", "acknowledged": "Acknowledged", "over": "Over"}
_SEVERITY_TAGS: Final = {"critical": "bad", "warning": "warn", "info": ""}
_STATE_TAGS: Final = {"open": "warn", "acknowledged": "", "over": "good"}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(_STATES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "open":
            return queryset.filter(resolved_at=None, acknowledged_at=None)
        if self.value() == "acknowledged":
            return queryset.filter(resolved_at=None).exclude(acknowledged_at=None)
        if self.value() == "over":
            return queryset.exclude(resolved_at=None)
        return queryset


class EventFilter(admin.SimpleListFilter):
    title = "event"
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(EVENTS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(event=self.value()) if self.value() else queryset


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = (OPENED, "severity_tag", "told", "state_tag", "delivered")
    list_filter = (StateFilter, "severity", EventFilter)
    search_fields = ("text", "holder_name")
    search_help_text = "Words of an alert, or a name"
    list_display_links = ("told",)
    when_empty = "What somebody should know appears here, and goes out to the channels."
    change_form_template = "admin/alerts/alert/change_form.html"
    change_list_template = "admin/alerts/alert/change_list.html"
    fields: ClassVar[tuple[str, ...]] = ()
    actions = ("acknowledge_selected",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        return super().get_queryset(request).prefetch_related("deliveries")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The base has none for what cannot be changed."""
        return super().get_actions(request) if self.may_acknowledge(request) else {}

    def may_acknowledge(self, request: HttpRequest) -> bool:
        return request.user.has_perm("alerts.change_alert")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<int:alert_id>/acknowledge/",
                wrap(self.acknowledge_view),
                name="alerts_alert_acknowledge",
            ),
            *super().get_urls(),
        ]

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        return {"channels": [channel.label for channel in named.channels()]}

    def object_context(self, request: HttpRequest, obj: Alert) -> dict[str, Any]:
        return {
            "alert": obj,
            "holder_url": links.local(obj.admin_path) if obj.admin_path else "",
            "event": EVENTS.get(obj.event, obj.event),
            "severity": self.severity_tag(obj),
            "state": self.state_tag(obj),
            "figures": [(name.replace("_", " "), each) for name, each in obj.figures.items()],
            "deliveries": obj.deliveries.all(),
            "may_acknowledge": self.may_acknowledge(request),
        }

    def acknowledge_view(self, request: HttpRequest, alert_id: int) -> HttpResponse:
        if not self.may_acknowledge(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._acknowledge(request, Alert.objects.filter(pk=alert_id))
        is_from_dashboard = request.POST.get("back") == "dashboard"
        where = (
            ("admin:index", []) if is_from_dashboard else ("admin:alerts_alert_change", [alert_id])
        )
        return HttpResponseRedirect(reverse(where[0], args=where[1]))

    @admin.action(description="Acknowledge the selected alerts")
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        if not self.may_acknowledge(request):
            raise PermissionDenied
        self._acknowledge(request, Alert.objects.filter(pk__in=queryset.values("pk")))

    def _acknowledge(self, request: HttpRequest, alerts: QuerySet[Alert]) -> None:
        count = store.acknowledge(alerts, request.user.get_username())
        plural = "" if count == 1 else "s"
        self.message_user(request, f"{count} alert{plural} acknowledged.")

    @admin.display(description="severity", ordering="severity")
    def severity_tag(self, alert: Alert) -> SafeString:
        return tag(alert.get_severity_display(), _SEVERITY_TAGS.get(alert.severity, ""))

    @admin.display(description="alert", ordering="text")
    def told(self, alert: Alert) -> SafeString:
        return noted(alert.text, EVENTS.get(alert.event, alert.event))

    @admin.display(description="state")
    def state_tag(self, alert: Alert) -> SafeString:
        return tag(alert.state, _STATE_TAGS[alert.state])

    @admin.display(description="deliveries")
    def delivered(self, alert: Alert) -> str:
        counts: dict[str, int] = {}
        for delivery in alert.deliveries.all():
            counts[delivery.state] = counts.get(delivery.state, 0) + 1
        return ", ".join(f"{count} {state}" for state, count in counts.items()) or "no channel"
