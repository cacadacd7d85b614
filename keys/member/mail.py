"""Whether a member gets mail of their own keys' alerts."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from keys.alerting.owners import choose_mail, wants_mail


def mail_context(user: Any) -> dict[str, Any]:
    """For the home page; nothing where no mail goes out, or the account has no address."""
    if not settings.EMAIL_URL or not user.email:
        return {}
    return {"mail_address": user.email, "wants_mail": wants_mail(user)}


@never_cache
@login_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    wants = request.POST.get("mail") == "on"
    choose_mail(request.user, wants)
    messages.success(request, f"Mail about your keys is {'on' if wants else 'off'}.")
    return redirect("member:home")
