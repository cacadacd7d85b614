"""The admin's pages that change one key: issue, rotate, revoke, delete its captured text.

A secret is shown in exactly one response, that to the POST that made it. It is never in a message,
a session, a URL or the history.
"""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from keys import examples
from keys.errors import CannotChangeKey
from keys.key_changes import revoke_key, rotate_key
from keys.ledger.captured_retention import delete_of_key
from keys.models import Key, KeySecret
from keys.operators.forms import RotateForm
from keys.operators.one_at_a_time import OneAtATime
from keys.sent_forms import MADE_BEFORE, SentBefore, take_form
from keys.snippet import USUAL_MODEL
from keys.snippets import snippets
from theme.audit import Audited
from theme.model_admin import ModelAdmin


def secret_text(key: Key) -> str:
    """What is shown of a key's secret."""
    if key.is_static:
        return "from the settings"
    return f"{key.prefix}…{key.last_four}"


class KeyPages(OneAtATime, Audited, ModelAdmin):
    # --- issue --------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Key, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        # Django's view has begun a transaction.
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
        # Read again: the secret was made after the key was read.
        key = self.get_queryset(request).get(pk=obj.pk)
        return super().log_addition(request, obj, f"Issued, {secret_text(key)}.")

    def response_add(
        self, request: HttpRequest, obj: Key, post_url_continue: str | None = None
    ) -> HttpResponse:
        text: str = request.issued_text  # type: ignore[attr-defined]
        return self._show_once(request, obj, text, "Key issued")

    def _show_once(self, request: HttpRequest, key: Key, text: str, title: str) -> HttpResponse:
        # A model that the key may use, if one of its patterns is a name.
        model = next((name for name in key.allowed_models if "*" not in name), USUAL_MODEL.name)
        target = examples.target(request, key, model, text)
        response = self.own_page(
            request,
            "admin/keys/key/shown_once.html",
            title,
            key=key,
            text=text,
            base_url=target.base_url,
            snippets=snippets(target),
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
        if revoke_key(key, by_id=request.user.pk):  # type: ignore[arg-type]
            self.message_user(request, f"{key.name} is revoked.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:keys_key_change", args=[key_id]))

    def rotate_view(self, request: HttpRequest, key_id: int) -> HttpResponse:
        key = self._key_to_change(request, key_id)
        problem = key.why_not_rotated()
        if problem is not None:
            self.message_user(request, problem, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:keys_key_change", args=[key_id]))
        form = RotateForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._confirm(request, key, "rotate.html", f"Rotate {key.name}", form=form)
        try:
            with transaction.atomic():
                sending = take_form(request)
                text = rotate_key(
                    key,
                    form.cleaned_data["overlap"],
                    by_id=request.user.pk,  # type: ignore[arg-type]
                    overlap_text=form.data["overlap"],
                )
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
            more = f"{told} There is more to delete: do it again."
            self.message_user(request, more, messages.WARNING)
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
        return self.own_page(request, page, title, key=key, secret=secret_text(key), **more)
