"""Service tokens in the admin: issued with the secret shown once, revoked, never changed."""

from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from keys.form_fields import LinesField
from keys.sent_forms import SentBefore, take_form
from management_api.models import USUAL_REQUESTS_PER_MINUTE, ServiceToken
from management_api.scopes import PERMISSIONS, SCOPES
from management_api.tokens import check_expiry, issue_token, revoke_token
from theme.model_admin import ModelAdmin, moment_column
from theme.shown import moment, noted, tag

SENT_BEFORE: Final = (
    "This form was sent before, so nothing was made this time. The token was shown once, in the "
    "answer to the first time. If you did not see it, revoke it and issue another."
)


class ServiceTokenForm(forms.ModelForm):
    offered: ClassVar[list[str]] = []
    scopes = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        help_text="Changes need write, reading needs read; neither has the other in it.",
    )
    allowed_networks = LinesField(
        required=False, help_text="One network a line, such as 10.0.0.0/8. Empty: from anywhere."
    )

    class Meta:
        model = ServiceToken
        fields: ClassVar = [
            *("name", "scopes", "expires_at", "allowed_networks", "requests_per_minute")
        ]
        labels: ClassVar = {"expires_at": "Expires at (UTC)"}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Not on the page of a token that is there, where nothing can be changed.
        if "scopes" in self.fields:
            choice: Any = self.fields["scopes"]
            choice.choices = [(scope, scope) for scope in self.offered]

    def clean_expires_at(self) -> Any:
        check_expiry(self.cleaned_data["expires_at"])
        return self.cleaned_data["expires_at"]


@admin.register(ServiceToken)
class ServiceTokenAdmin(ModelAdmin):
    form = ServiceTokenForm
    list_display = ("named", "state", "scopes_shown", "expires", "used")
    search_fields = ("name", "prefix__startswith")
    search_help_text = "Name or prefix"
    list_words = "Service tokens"
    add_words = "Issue a service token"
    when_empty = "A service token lets a script use the management API, within its scopes."
    actions = None
    list_per_page = 50
    change_form_template = "admin/management_api/servicetoken/change_form.html"
    _FACTS = (
        *("secret", "state", "name", "scopes_shown", "networks", "requests_per_minute"),
        *("created", "expires", "revoked", "used"),
    )
    expires = staticmethod(moment_column("expires_at", "expires"))
    created = staticmethod(moment_column("created_at", "created"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # What it may do was agreed on when it was issued.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Its changes are on record.
        return False

    def may_revoke(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)

    def get_fields(self, request: HttpRequest, obj: ServiceToken | None = None) -> Any:
        return ServiceTokenForm.Meta.fields if obj is None else self._FACTS

    def get_readonly_fields(self, request: HttpRequest, obj: ServiceToken | None = None) -> Any:
        return () if obj is None else self._FACTS

    def get_form(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        """Nobody gives a token more than they may do themselves."""
        form = super().get_form(request, obj, **options)
        may = request.user.has_perms
        offered = [scope for scope in SCOPES if may(PERMISSIONS[scope])]
        return type(form.__name__, (form,), {"offered": offered})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"requests_per_minute": USUAL_REQUESTS_PER_MINUTE}

    @admin.display(description="name", ordering="name")
    def named(self, token: ServiceToken) -> SafeString:
        return noted(token.name, token.shown)

    @admin.display(description="token")
    def secret(self, token: ServiceToken) -> str:
        return token.shown

    @admin.display(description="state")
    def state(self, token: ServiceToken) -> SafeString:
        state = token.state()
        return tag(state, "good" if state == "active" else "bad")

    @admin.display(description="scopes")
    def scopes_shown(self, token: ServiceToken) -> str:
        return ", ".join(token.scopes)

    @admin.display(description="networks")
    def networks(self, token: ServiceToken) -> str:
        return ", ".join(token.allowed_networks) or "any"

    @admin.display(description="revoked")
    def revoked(self, token: ServiceToken) -> SafeString:
        return moment(token.revoked_at, "no")

    @admin.display(description="last used", ordering="last_used_at")
    def used(self, token: ServiceToken) -> SafeString:
        return moment(token.last_used_at)

    # --- issue and revoke ---------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: ServiceToken, form: Any, change: bool) -> None:
        # Django's view has begun a transaction.
        sending = take_form(request)
        by_id: Any = request.user.pk
        # For `response_add`, in this same request.
        request.issued_text = issue_token(obj, by_id)  # type: ignore[attr-defined]
        sending.made(obj.pk)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """`issue_token` has made the entry."""

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except SentBefore as before:
            self.message_user(request, SENT_BEFORE, messages.WARNING)
            page = reverse("admin:management_api_servicetoken_change", args=[before.made_id])
            return HttpResponseRedirect(page)

    def response_add(
        self, request: HttpRequest, obj: ServiceToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        text: str = request.issued_text  # type: ignore[attr-defined]
        page = "admin/management_api/servicetoken/shown_once.html"
        response = self.own_page(request, page, "Service token issued", token=obj, text=text)
        response["Cache-Control"] = "no-store"
        return response

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        return [
            path("<int:token_id>/revoke/", revoke, name="management_api_servicetoken_revoke"),
            *super().get_urls(),
        ]

    def object_context(self, request: HttpRequest, token: ServiceToken) -> dict[str, Any]:
        return {"may_revoke": self.may_revoke(request) and token.revoked_at is None}

    def revoke_view(self, request: HttpRequest, token_id: int) -> HttpResponse:
        token = ServiceToken.objects.filter(pk=token_id).first()
        if token is None:
            raise Http404("There is no such service token.")
        if not self.may_revoke(request):
            raise PermissionDenied
        if request.method != "POST":
            page = "admin/management_api/servicetoken/revoke.html"
            return self.own_page(request, page, f"Revoke {token.name}", token=token)
        by_id: Any = request.user.pk
        if revoke_token(token, by_id):
            self.message_user(request, f"{token.name} is revoked.", messages.SUCCESS)
        page = reverse("admin:management_api_servicetoken_change", args=[token_id])
        return HttpResponseRedirect(page)
