"""Raises of limits in the Django admin: those in force, and those that members ask for."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from keys import raise_requests
from keys.limit_holders import holder_with
from keys.models import Raise, RaiseRequest
from keys.models.raise_request import OPEN
from keys.operators.raise_forms import RaiseForm
from keys.raises import end_raise, make_raise, raised_text, wish_text
from keys.sent_forms import SentBefore, take_form
from keys.written_limits import BadLimit
from theme.model_admin import ModelAdmin, ReadOnlyAdmin, moment_column
from theme.shown import moment, tag


def _button(words: str, url: str, kind: str = "") -> SafeString:
    """Within the list's own form, which has the token against forged requests."""
    return format_html(
        '<button type="submit" class="button small {}" formmethod="post" formaction="{}" '
        "formnovalidate>{}</button>",
        kind,
        url,
        words,
    )


def _whose(row: Raise | RaiseRequest) -> str:
    holder = holder_with(row.subject)
    return "deleted" if holder is None else holder.words


@admin.register(Raise)
class RaiseAdmin(ModelAdmin):
    form = RaiseForm
    list_display = ("whose", "raised", moment_column("until", "until"), "why", "who", "state")
    list_words = "Raises"
    add_words = "Raise a limit"
    when_empty = "A raise gives somebody more for a time, and ends by itself."
    actions = None
    search_fields = ("why", "made_by_name")
    search_help_text = "Reason, or who raised it"
    list_per_page = 50

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # They are history.
        return False

    def get_fields(self, request: HttpRequest, obj: Raise | None = None) -> Any:
        return ("whose", "wish", "last_day", "reason") if obj is None else self.list_display

    def get_readonly_fields(self, request: HttpRequest, obj: Raise | None = None) -> Any:
        return () if obj is None else self.list_display

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"whose": request.GET.get("whose", "")}

    @admin.display(description="whose")
    def whose(self, one: Raise) -> str:
        return _whose(one)

    @admin.display(description="raised")
    def raised(self, one: Raise) -> str:
        return raised_text(one)

    @admin.display(description="by")
    def who(self, one: Raise) -> str:
        return one.made_by_name

    @admin.display(description="state")
    def state(self, one: Raise) -> SafeString:
        if one.ended_at is not None:
            return format_html("ended {}", moment(one.ended_at))
        if one.until <= timezone.now():
            return tag("over")
        end = reverse("admin:keys_raise_end", args=[one.pk])
        return format_html("{} {}", tag("in force", "good"), _button("End now", end))

    def get_urls(self) -> list[URLPattern]:
        end = self.admin_site.admin_view(self.end_view)
        return [path("<int:raise_id>/end/", end, name="keys_raise_end"), *super().get_urls()]

    def end_view(self, request: HttpRequest, raise_id: int) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        found = Raise.objects.filter(pk=raise_id).first()
        if found is None:
            raise Http404("There is no such raise.")
        if request.method == "POST" and end_raise(found, request.user):
            self.message_user(request, f"The raise is ended: {raised_text(found)}.")
        return HttpResponseRedirect(reverse("admin:keys_raise_changelist"))

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except SentBefore:
            told = "This form was sent before: the limit is raised once."
            self.message_user(request, told, messages.WARNING)
            return HttpResponseRedirect(reverse("admin:keys_raise_changelist"))
        except BadLimit as error:
            self.message_user(request, f"Nothing is raised: {error}.", messages.ERROR)
            asked = request.POST.get("whose", "")
            return HttpResponseRedirect(f"{reverse('admin:keys_raise_add')}?whose={asked}")

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Raise:
        values = form.cleaned_data
        # Django's view has begun a transaction.
        sending = take_form(request)
        made = make_raise(
            values["whose"],
            values["wish"],
            until=values["last_day"],
            why=values["reason"],
            by=request.user,
        )
        sending.made(made.pk)
        return made

    def save_model(self, request: HttpRequest, obj: Raise, form: Any, change: bool) -> None:
        """`save_form` has made it, with its entry in the holder's history."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is nothing beside it."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """It is in the history of the holder."""


@admin.register(RaiseRequest)
class RaiseRequestAdmin(ReadOnlyAdmin):
    list_display = ("asked", "who", "wish", "whose", "until_day", "why", "answer")
    fields = readonly_fields = list_display
    list_filter = ("state",)
    # Those that wait come first.
    ordering = (F("decided_at").desc(nulls_first=True), "-asked_at", "-pk")
    list_select_related = ("asked_by", "made")
    list_words = "Raises asked for"
    when_empty = "What members ask for on their pages waits here for an answer."
    actions = None
    list_per_page = 50
    asked = staticmethod(moment_column("asked_at", "asked"))

    @admin.display(description="by", ordering="asked_by__username")
    def who(self, asked: RaiseRequest) -> str:
        return str(asked.asked_by)

    @admin.display(description="asks for")
    def wish(self, asked: RaiseRequest) -> str:
        return wish_text(asked)

    @admin.display(description="whose")
    def whose(self, asked: RaiseRequest) -> str:
        return _whose(asked)

    @admin.display(description="until", ordering="until")
    def until_day(self, asked: RaiseRequest) -> SafeString:
        return moment(asked.until)

    @admin.display(description="answer", ordering="state")
    def answer(self, asked: RaiseRequest) -> SafeString:
        if asked.state != OPEN:
            kind = {"granted": "good", "refused": "bad"}.get(asked.state, "")
            return format_html("{} {}", tag(asked.state, kind), asked.decided_by_name)
        grant, refuse = (
            reverse(f"admin:keys_raiserequest_{what}", args=[asked.pk])
            for what in ("grant", "refuse")
        )
        return format_html(
            '<span class="buttons">{}{}</span>',
            _button("Grant", grant, "strong"),
            _button("Refuse", refuse),
        )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:asked_id>/grant/", wrap(self.grant_view), name="keys_raiserequest_grant"),
            path("<int:asked_id>/refuse/", wrap(self.refuse_view), name="keys_raiserequest_refuse"),
            *super().get_urls(),
        ]

    def grant_view(self, request: HttpRequest, asked_id: int) -> HttpResponse:
        return self._decide(request, asked_id, raise_requests.grant)

    def refuse_view(self, request: HttpRequest, asked_id: int) -> HttpResponse:
        return self._decide(request, asked_id, raise_requests.refuse)

    def _decide(
        self, request: HttpRequest, asked_id: int, decide: Callable[[RaiseRequest, Any], None]
    ) -> HttpResponse:
        asked = RaiseRequest.objects.select_related("asked_by").filter(pk=asked_id).first()
        if asked is None:
            raise Http404("Nobody has asked for this.")
        if not raise_requests.may_decide(asked, request.user):
            raise PermissionDenied
        if request.method == "POST":
            try:
                with transaction.atomic():
                    decide(asked, request.user)
                told = f"{asked.asked_by}: {wish_text(asked)} is {asked.state}."
                self.message_user(request, told, messages.SUCCESS)
            except (raise_requests.NotPossible, BadLimit) as error:
                self.message_user(request, f"{str(error).rstrip('.')}.", messages.ERROR)
        return HttpResponseRedirect(reverse("admin:keys_raiserequest_changelist"))
