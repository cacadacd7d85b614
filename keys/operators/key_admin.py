"""Keys and owners' limits in the Django admin; the request log is in `keys/log/admin.py`.

A secret is in exactly one response: the one to the POST that made it. It is in no message, no
session, no URL and no history.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from keys import key_text
from keys.errors import CannotChangeKey
from keys.key_choice import key_with_text
from keys.key_json import limits_as_json, rates_and_budgets
from keys.ledger.captured_retention import delete_of_key
from keys.models import CapturedText, Key, KeySecret, OwnerLimits
from keys.operators.forms import KeyForm, OwnerLimitsForm, RotateForm
from keys.operators.key_filters import ExpiringFilter, NearLimitFilter, UnusedFilter
from keys.operators.key_use import SPARK_DAYS, KeyPage, use_of
from keys.reports.near_limits import NEAR_PERCENT, NearLimit
from keys.sent_forms import MADE_BEFORE, SentBefore, take_form
from keys.snippets import USUAL_MODEL, snippets
from theme.audit import Audited
from theme.model_admin import ModelAdmin
from theme.shown import moment
from theme.sparkline import sparkline

LIMIT_FIELDSETS: Any = [
    ("Rates", {"fields": ["requests_per_minute", "tokens_per_minute", "concurrency"]}),
    (
        "Budgets (UTC days and months)",
        {
            "fields": [
                "daily_budget_nano_usd",
                "monthly_budget_nano_usd",
                "total_budget_nano_usd",
                "daily_neurons_micro",
            ]
        },
    ),
]

CAPTURE_WARNING: Final = (
    "Careful: while this is on, everything that is sent with this key is stored, and so is every "
    "answer, tool calls included; of pictures, sound and files only the kind and size. Everybody "
    "with the permission “Can view captured text” reads it on the pages of the key's requests. The "
    "key's owner is told on their own pages. It is deleted after the days below."
)


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(state, state) for state in ("active", "revoked", "expired", "owner inactive")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> QuerySet[Key]:
        now = timezone.now()
        in_time = Q(expires_at=None) | Q(expires_at__gt=now)
        owned = Q(owner=None) | Q(owner__is_active=True)
        conditions = {
            "active": Q(revoked_at=None) & in_time & owned,
            "revoked": Q(revoked_at__isnull=False),
            "expired": Q(revoked_at=None, expires_at__lte=now),
            "owner inactive": Q(revoked_at=None, owner__is_active=False) & in_time,
        }
        condition = conditions.get(self.value() or "")
        return queryset if condition is None else queryset.filter(condition)


@admin.register(Key)
class KeyAdmin(Audited, ModelAdmin):
    form = KeyForm
    list_display = (
        "name",
        "owner",
        "secret",
        "state",
        "requests",
        "budget",
        "used",
        "expires",
        "limits",
    )
    list_filter = (
        StateFilter,
        NearLimitFilter,
        UnusedFilter,
        ExpiringFilter,
        ("owner", admin.RelatedOnlyFieldListFilter),
    )
    actions = ("revoke_selected",)
    # A line with its columns of days takes milliseconds to draw.
    list_per_page = 50
    when_empty = "A key lets a person or an app use the models, within limits of its own."
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username", "secrets__prefix__startswith")
    search_help_text = "Name, owner or prefix; or a whole key, to find which one it is."
    change_form_template = "admin/keys/key/change_form.html"
    fieldsets: ClassVar = [
        (None, {"fields": ["name", "owner", "notes", "expires_at"]}),
        ("May use", {"fields": ["allowed_models", "allowed_endpoints", "allowed_networks"]}),
        *LIMIT_FIELDSETS,
        (
            "Captured text",
            {"description": CAPTURE_WARNING, "fields": ["capture_text", "capture_days"]},
        ),
    ]
    _FACTS = ("secret", "state", "created_at", "last_used_at", "revoked_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Key]:
        return super().get_queryset(request).prefetch_related("secrets")

    def get_fieldsets(self, request: HttpRequest, obj: Key | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj is None else [*fieldsets, ("Facts", {"fields": self._FACTS})]

    def get_readonly_fields(self, request: HttpRequest, obj: Key | None = None) -> Any:
        return () if obj is None else self._FACTS

    def has_delete_permission(self, request: HttpRequest, obj: Key | None = None) -> bool:
        # Revoking is the way; deleting takes a key out of the sight of everybody.
        return bool(getattr(request.user, "is_superuser", False))

    @admin.display(description="key")
    def secret(self, key: Key) -> str:
        if key.is_static:
            return "from the settings"
        return f"{key.prefix}…{key.last_four}"

    @admin.display(description="state")
    def state(self, key: Key) -> str:
        return key.state()

    @admin.display(description=f"requests, {SPARK_DAYS} days")
    def requests(self, key: Key) -> SafeString:
        days: list[int] = key.requests_by_day  # type: ignore[attr-defined]
        return sparkline(days, "Requests")

    @admin.display(description="fullest budget")
    def budget(self, key: Key) -> SafeString | str:
        fullest: NearLimit | None = key.fullest_budget  # type: ignore[attr-defined]
        if fullest is None:
            return "–"
        percent = fullest.percent
        kind = "bad" if percent >= 100 else "warn" if percent >= NEAR_PERCENT else "quiet"
        words = f"{percent}% of the {fullest.what}"
        return format_html('<span class="{}">{}</span>', kind, words)

    @admin.display(description="last used", ordering="last_used_at")
    def used(self, key: Key) -> SafeString:
        return moment(key.last_used_at)

    @admin.display(description="expires", ordering="expires_at")
    def expires(self, key: Key) -> SafeString:
        return moment(key.expires_at)

    @admin.display(description="limits")
    def limits(self, key: Key) -> str:
        shown = limits_as_json(key).items()
        return ", ".join(
            f"{name} {', '.join(value) if isinstance(value, list) else value}"
            for name, value in shown
            if value
        )

    # --- issue --------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Key, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        # In the transaction of Django's own view.
        sending = take_form(request)
        super().save_model(request, obj, form, change)
        # For `response_add`, in this same request.
        request.issued_text = KeySecret.make_for(obj)  # type: ignore[attr-defined]
        sending.made(obj.pk)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except SentBefore as before:
            return self._made_before(request, before)

    def _made_before(self, request: HttpRequest, before: SentBefore) -> HttpResponse:
        self.message_user(request, MADE_BEFORE, messages.WARNING)
        if not Key.objects.filter(pk=before.made_id).exists():
            return HttpResponseRedirect(reverse("admin:keys_key_changelist"))
        return HttpResponseRedirect(reverse("admin:keys_key_change", args=[before.made_id]))

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        # Once more from the database: the secret was made after the key was read.
        key = self.get_queryset(request).get(pk=obj.pk)
        return super().log_addition(request, obj, f"Issued, {self.secret(key)}.")

    def response_add(
        self, request: HttpRequest, obj: Key, post_url_continue: str | None = None
    ) -> HttpResponse:
        text: str = request.issued_text  # type: ignore[attr-defined]
        return self._show_once(request, obj, text, "Key issued")

    def _show_once(self, request: HttpRequest, key: Key, text: str, title: str) -> HttpResponse:
        origin = request.build_absolute_uri("/").rstrip("/")
        # One that the key may use, where its patterns name one.
        model = next((name for name in key.allowed_models if "*" not in name), USUAL_MODEL)
        response = self.own_page(
            request,
            "admin/keys/key/shown_once.html",
            title,
            key=key,
            text=text,
            base_url=f"{origin}/v1",
            snippets=snippets(origin, text, model),
        )
        response["Cache-Control"] = "no-store"
        return response

    # --- revoke and rotate --------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:key_id>/revoke/", wrap(self.revoke_view), name="keys_key_revoke"),
            path("<int:key_id>/rotate/", wrap(self.rotate_view), name="keys_key_rotate"),
            path(
                "<int:key_id>/forget/", wrap(self.delete_captured_view), name="keys_key_forget_text"
            ),
            *super().get_urls(),
        ]

    def revoke_view(self, request: HttpRequest, key_id: int) -> HttpResponse:
        key = self._key_to_change(request, key_id)
        if request.method != "POST":
            return self._confirm(request, key, "revoke.html", f"Revoke {key.name}")
        if key.revoke():
            self.log_change(request, key, "Revoked.")
            self.message_user(request, f"{key.name} is revoked.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:keys_key_change", args=[key_id]))

    def rotate_view(self, request: HttpRequest, key_id: int) -> HttpResponse:
        key = self._key_to_change(request, key_id)
        form = RotateForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._confirm(request, key, "rotate.html", f"Rotate {key.name}", form=form)
        try:
            with transaction.atomic():
                sending = take_form(request)
                text = key.rotate(form.cleaned_data["overlap"])
                self.log_change(request, key, f"Rotated, overlap {form.data['overlap']}.")
                sending.made(key.pk)
        except CannotChangeKey as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:keys_key_change", args=[key_id]))
        except SentBefore as before:
            return self._made_before(request, before)
        return self._show_once(request, key, text, "Key rotated")

    def delete_captured_view(self, request: HttpRequest, key_id: int) -> HttpResponse:
        key = self.get_queryset(request).filter(pk=key_id).first()
        if key is None:
            raise Http404("There is no such key.")
        if not request.user.has_perm("keys.delete_capturedtext"):
            raise PermissionDenied
        if request.method != "POST":
            title = f"Delete captured text of {key.name}"
            return self._confirm(request, key, "forget_text.html", title)
        count, is_all = delete_of_key(key)
        told = f"Deleted the captured text of {count:,} request{'' if count == 1 else 's'}."
        if count:
            self.log_change(request, key, told)
        if is_all:
            self.message_user(request, told, messages.SUCCESS)
        else:
            self.message_user(request, f"{told} There is more: do it again.", messages.WARNING)
        return HttpResponseRedirect(reverse("admin:keys_key_change", args=[key_id]))

    def _key_to_change(self, request: HttpRequest, key_id: int) -> Key:
        key = self.get_queryset(request).filter(pk=key_id).first()
        if key is None:
            raise Http404("There is no such key.")
        if not self.has_change_permission(request, key):
            raise PermissionDenied
        return key

    def _confirm(
        self, request: HttpRequest, key: Key, template: str, title: str, **more: Any
    ) -> HttpResponse:
        page = f"admin/keys/key/{template}"
        return self.own_page(request, page, title, key=key, secret=self.secret(key), **more)

    # --- use, and many at once ----------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeyPage]:
        return KeyPage

    def object_context(self, request: HttpRequest, key: Key) -> dict[str, Any]:
        return {
            **use_of(key),
            "has_captured": CapturedText.objects.filter(key_id=key.pk).exists(),
            "may_delete_captured": request.user.has_perm("keys.delete_capturedtext"),
        }

    @admin.action(description="Revoke the selected keys", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[Key]) -> HttpResponse | None:
        keys = list(queryset.filter(revoked_at=None))
        if request.POST.get("sure") != "yes":
            return self.own_page(
                request,
                "admin/keys/key/revoke_selected.html",
                "Revoke keys",
                keys=[(key, self.secret(key)) for key in keys],
                checkbox=ACTION_CHECKBOX_NAME,
            )
        revoked = [key for key in keys if key.revoke()]
        for key in revoked:
            self.log_change(request, key, "Revoked.")
        plural = "" if len(revoked) == 1 else "s"
        self.message_user(request, f"{len(revoked)} key{plural} revoked.", messages.SUCCESS)
        return None

    # --- find ---------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        pasted = request.GET.get("q", "").strip()
        if key_text.is_well_formed(pasted):
            # Away from a URL that holds a key, before any link on the page repeats it.
            if not self.has_view_permission(request):
                raise PermissionDenied
            key = key_with_text(pasted).first()
            if key is not None:
                return HttpResponseRedirect(reverse("admin:keys_key_change", args=[key.pk]))
            self.message_user(request, "No key here has that text.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:keys_key_changelist"))
        return super().changelist_view(request, extra_context)


@admin.register(OwnerLimits)
class OwnerLimitsAdmin(Audited, ModelAdmin):
    form = OwnerLimitsForm
    list_display = ("owner", "limits")
    list_select_related = ("owner",)
    search_fields = ("owner__username",)
    when_empty = "Limits of an owner hold over all their keys together."
    fieldsets: ClassVar = [(None, {"fields": ["owner", "max_keys"]}), *LIMIT_FIELDSETS]

    def get_readonly_fields(self, request: HttpRequest, obj: OwnerLimits | None = None) -> Any:
        # The owner is the row's identity: another one would make a second row.
        return () if obj is None else ("owner",)

    @admin.display(description="limits")
    def limits(self, limits: OwnerLimits) -> str:
        shown = rates_and_budgets(limits).items()
        return ", ".join(f"{name} {value}" for name, value in shown if value)
