"""The request log in the Django admin: read-only, in pages by position, each row explained."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from keys import shown
from keys.amounts import MICRO, neurons_text, usd_text
from keys.csv_file import csv_response
from keys.ledger.captured import laid_out
from keys.log.explained import explain
from keys.log.export import csv_texts, rows_oldest_first
from keys.log.filters import (
    AgentFilter,
    DayFilter,
    EndpointFilter,
    ErrorFilter,
    KeyFilter,
    ModelFilter,
    OwnerFilter,
    SessionFilter,
    StatusFilter,
    StreamFilter,
    TeamFilter,
    UserFilter,
)
from keys.log.paging import LogPage
from keys.log.report_pages import report_csv, report_page
from keys.log.session_pages import session_page, sessions_page
from keys.models import CapturedText, Key, RequestLog
from keys.reports.usage import account_neuron_day
from theme.model_admin import ModelAdmin, ReadOnlyAdmin
from theme.shown import moment, noted, tag

# Columns with an amount, and the methods that show them.
_SHOWN_AS: Final = {
    "cost_nano_usd": "cost",
    "neurons_micro": "neurons",
    "neurons_by_price_micro": "neurons_by_price",
}


@admin.register(RequestLog)
class RequestLogAdmin(ReadOnlyAdmin):
    list_display = (
        "began",
        "result",
        "who",
        "where",
        "model",
        "tokens",
        "cost",
        "took",
        "request_id",
    )
    list_filter = (
        DayFilter,
        StatusFilter,
        ErrorFilter,
        EndpointFilter,
        StreamFilter,
        KeyFilter,
        OwnerFilter,
        TeamFilter,
        UserFilter,
        ModelFilter,
        SessionFilter,
        AgentFilter,
    )
    search_fields = ("request_id__exact",)
    search_help_text = "Whole request id (x-request-id) or session"
    ordering = ("-started_at", "-id")
    sortable_by = ()
    list_per_page = 100
    list_max_show_all = 0
    actions = None
    when_empty = "A request appears here as soon as it is answered."
    change_list_template = "admin/keys/requestlog/change_list.html"
    change_form_template = "admin/keys/requestlog/change_form.html"
    fieldsets: ClassVar = [
        (
            "Every field",
            {
                "classes": ["collapse"],
                "fields": [
                    _SHOWN_AS.get(field.name, field.name)
                    for field in RequestLog._meta.concrete_fields
                ],
            },
        )
    ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LogPage]:
        return LogPage

    def get_urls(self) -> list[URLPattern]:
        wrapped = self.admin_site.admin_view(self.export_view)
        return [
            path("export.csv", wrapped, name="keys_requestlog_export"),
            path("sessions/", self._view(sessions_page), name="keys_requestlog_sessions"),
            path("session/", self._view(session_page), name="keys_requestlog_session"),
            path("report/", self._view(report_page), name="keys_requestlog_report"),
            path("report.csv", self._view(report_csv), name="keys_requestlog_report_csv"),
            *super().get_urls(),
        ]

    def _view(self, page: Callable[[ModelAdmin, HttpRequest], HttpResponseBase]) -> Any:
        return self.admin_site.admin_view(partial(page, self))

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        day = account_neuron_day()
        return {
            "neuron_day": day,
            "neurons_used": f"{day.used_micro / MICRO:,.0f}",
            "neurons_free": f"{day.free_micro // MICRO:,}",
            "query": request.GET.urlencode(),
            "session": request.GET.get("session", ""),
        }

    def object_context(self, request: HttpRequest, row: RequestLog) -> dict[str, Any]:
        captured = self._captured(request, row)
        return {"row": row, "explained": explain(row), **self._links(row), **captured}

    def _captured(self, request: HttpRequest, row: RequestLog) -> dict[str, Any]:
        text = CapturedText.of(row)
        if text is None or not request.user.has_perm("keys.view_capturedtext"):
            return {"is_captured": text is not None}
        key = Key.objects.filter(pk=text.key_id).first()
        gone_at = None if key is None else text.started_at + timedelta(days=key.kept_capture_days)
        return {
            "is_captured": True,
            "captured": [
                ("Prompt", laid_out(text.asked), _cut(text.asked, text.asked_characters)),
                (
                    "Answer",
                    laid_out(text.answered),
                    _cut(text.answered, text.answered_characters),
                ),
            ],
            "captured_until": gone_at,
        }

    def _links(self, row: RequestLog) -> dict[str, Any]:
        return {
            "key_exists": Key.objects.filter(pk=row.key_id or 0).exists(),
            "row_cost": self.cost(row),
            "row_neurons": self.neurons(row),
        }

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """All rows that the list shows on its pages, oldest first, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        page: LogPage = self.get_changelist_instance(request)
        rows = rows_oldest_first(page.sought)
        return csv_response(csv_texts(rows), "requests.csv")

    @admin.display(description="started")
    def began(self, row: RequestLog) -> SafeString:
        return moment(row.started_at)

    @admin.display(description="result")
    def result(self, row: RequestLog) -> SafeString:
        kind = "good" if row.status < 400 else "warn" if row.status < 500 else "bad"
        words = row.error_code or row.end_reason.replace("_", " ")
        return format_html('{} <span class="nowrap">{}</span>', tag(str(row.status), kind), words)

    @admin.display(description="key and owner")
    def who(self, row: RequestLog) -> SafeString:
        return noted(row.key_name, row.owner_name)

    @admin.display(description="endpoint")
    def where(self, row: RequestLog) -> SafeString:
        return noted(row.endpoint, "streamed" if row.stream else "")

    @admin.display(description="tokens in / out")
    def tokens(self, row: RequestLog) -> str:
        counts = (row.prompt_tokens, row.completion_tokens)
        if counts == (None, None):
            return ""
        return " / ".join("?" if count is None else f"{count:,}" for count in counts)

    @admin.display(description="cost (USD)")
    def cost(self, row: RequestLog) -> str:
        return "" if row.cost_nano_usd is None else usd_text(row.cost_nano_usd)

    @admin.display(description="neurons")
    def neurons(self, row: RequestLog) -> str:
        return "" if row.neurons_micro is None else neurons_text(row.neurons_micro)

    @admin.display(description="neurons by the price list")
    def neurons_by_price(self, row: RequestLog) -> str:
        micro = row.neurons_by_price_micro
        return "" if micro is None else neurons_text(micro)

    @admin.display(description="duration")
    def took(self, row: RequestLog) -> str:
        return shown.seconds(row.duration_ms)


def _cut(text: str, characters: int) -> str:
    """The note beside a text that was cut."""
    return f"{characters:,} characters, cut in the middle" if len(text) < characters else ""
