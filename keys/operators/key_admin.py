"""Keys in the Django admin: the list, the form, and the search for a pasted key."""

from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from keys import key_text
from keys.key_changes import revoke_key
from keys.key_choice import key_with_text
from keys.models import CapturedText, Key
from keys.operators.forms import LIMIT_FIELDSETS, KeyForm
from keys.operators.holder_list import limits_shown
from keys.operators.key_filters import (
    ExpiringFilter,
    NearLimitFilter,
    StateFilter,
    UnusedFilter,
)
from keys.operators.key_pages import KeyPages, secret_text
from keys.operators.key_use import SPARK_DAYS, KeyList, use_of
from keys.operators.limit_tables import LimitsOfKey, LimitsOfUsers
from keys.reports.limit_use import NEAR_PERCENT
from keys.reports.near_limits import NearLimit
from theme.shown import moment, noted, tag
from theme.sparkline import sparkline

CAPTURE_WARNING: Final = (
    "Caution: while this is on, everything that is sent with this key is stored, and so is every "
    "answer, tool calls included. Of images, audio and files, only the kind and the size are "
    "stored. Everybody with the permission “Can view captured text” can read it on the pages of "
    "the key's requests. The key's owner is told so on their own pages."
)


@admin.register(Key)
class KeyAdmin(KeyPages):
    form = KeyForm
    list_display = (
        "named",
        "owner",
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
        ("owner__team_membership__team", admin.RelatedOnlyFieldListFilter),
        ("owner", admin.RelatedOnlyFieldListFilter),
    )
    actions = ("revoke_selected",)
    inlines = (LimitsOfKey, LimitsOfUsers)
    # Each line has a chart, which takes milliseconds to render.
    list_per_page = 50
    when_empty = "A key lets a person or an app use the models, within limits of its own."
    add_words = "Issue a key"
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username", "secrets__prefix__startswith")
    search_help_text = "Name, owner, prefix, or a whole key"
    change_form_template = "admin/keys/key/change_form.html"
    fieldsets: ClassVar = [
        (None, {"fields": ["name", "owner", "notes", "expires_at"]}),
        ("Access", {"fields": ["allowed_models", "allowed_endpoints", "allowed_networks"]}),
        (
            "One account for all",
            {"classes": ["collapse"], "fields": ["queue_weight", "uses_reserve"]},
        ),
        *LIMIT_FIELDSETS,
        (
            "Captured text",
            {"description": CAPTURE_WARNING, "fields": ["capture_text", "capture_days"]},
        ),
    ]
    _FACTS = ("secret", "state", "created", "used", "revoked")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Key]:
        return super().get_queryset(request).prefetch_related("secrets")

    def get_fieldsets(self, request: HttpRequest, obj: Key | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return (
            fieldsets if obj is None else [*fieldsets, ("About this key", {"fields": self._FACTS})]
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Key | None = None) -> Any:
        return () if obj is None else self._FACTS

    def has_delete_permission(self, request: HttpRequest, obj: Key | None = None) -> bool:
        # Keys should be revoked: a deleted key is no longer shown anywhere.
        return bool(getattr(request.user, "is_superuser", False))

    @admin.display(description="key")
    def secret(self, key: Key) -> str:
        return secret_text(key)

    @admin.display(description="name", ordering="name")
    def named(self, key: Key) -> SafeString:
        return noted(key.name, self.secret(key))

    @admin.display(description="state")
    def state(self, key: Key) -> SafeString:
        state = key.state()
        return tag(state, "good" if state == "active" else "bad")

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
        words = f"{percent}% of {fullest.what}"
        return format_html('<span class="{}">{}</span>', kind, words)

    @admin.display(description="last used", ordering="last_used_at")
    def used(self, key: Key) -> SafeString:
        return moment(key.last_used_at)

    @admin.display(description="expires", ordering="expires_at")
    def expires(self, key: Key) -> SafeString:
        return moment(key.expires_at)

    @admin.display(description="created")
    def created(self, key: Key) -> SafeString:
        return moment(key.created_at)

    @admin.display(description="revoked")
    def revoked(self, key: Key) -> SafeString:
        return moment(key.revoked_at, "no")

    @admin.display(description="limits")
    def limits(self, key: Key) -> SafeString:
        restrictions = {
            "models": key.allowed_models,
            "endpoints": key.allowed_endpoints,
            "networks": key.allowed_networks,
        }
        listed = (f"{name}: {', '.join(some)}" for name, some in restrictions.items() if some)
        return limits_shown(key, tuple(listed))

    # --- use, and actions on many keys
    # ----------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeyList]:
        return KeyList

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
                keys=[(key, secret_text(key)) for key in keys],
                checkbox=ACTION_CHECKBOX_NAME,
            )
        by_id: Any = request.user.pk
        revoked = [key for key in keys if revoke_key(key, by_id=by_id)]
        plural = "" if len(revoked) == 1 else "s"
        self.message_user(request, f"{len(revoked)} key{plural} revoked.", messages.SUCCESS)
        return None

    # --- find ---------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        pasted = request.GET.get("q", "").strip()
        if key_text.is_well_formed(pasted):
            # Redirect away from a URL that contains a key, before links on the page repeat it.
            if not self.has_view_permission(request):
                raise PermissionDenied
            key = key_with_text(pasted).first()
            if key is not None:
                return HttpResponseRedirect(reverse("admin:keys_key_change", args=[key.pk]))
            self.message_user(request, "There is no such key here.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:keys_key_changelist"))
        return super().changelist_view(request, extra_context)
