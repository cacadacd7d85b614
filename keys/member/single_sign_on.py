"""Single sign-on by OpenID Connect, through django-allauth. Imported only where it is configured.

Of allauth there is one page, the one that the provider sends people back to. Who comes from the
provider for the first time is the account here that has their verified address, or else a new one
without a password. Where an account has the address and the provider does not say that it is
theirs, they stay out: it may be somebody else's.
"""

import logging
from typing import Any, NoReturn

import requests
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.openid_connect.views import callback
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db import DataError, IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

logger = logging.getLogger(__name__)

PROVIDER = "sso"
# How a provider shows that is down, or does not answer as OpenID Connect says.
UNUSABLE = (requests.RequestException, LookupError, TypeError, ValueError)
FAILED = "Signing in with {} failed. Try again, or ask an operator of this gateway."
NOT_FOR_YOU = "{} knows you, but your account may not use this gateway. An operator can help."
TAKEN = (
    "An account here has your address already, and {} does not say that the address is "
    "verified. An operator of this gateway can help."
)


class Adapter(DefaultSocialAccountAdapter):
    """Who gets in. allauth calls the methods in the order in which they stand."""

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, **details: Any
    ) -> NoReturn:
        reason = details.get("exception") or error
        logger.warning("Single sign-on failed: %s", str(reason).partition("\n")[0][:200])
        refuse(request, FAILED)

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        if not _domain_is_allowed(_address(sociallogin)):
            refuse(request, NOT_FOR_YOU)
        if not sociallogin.is_existing:
            self._connect(request, sociallogin)
        if sociallogin.is_existing and not sociallogin.user.is_active:
            refuse(request, NOT_FOR_YOU)

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return True

    def _connect(self, request: HttpRequest, sociallogin: Any) -> None:
        address = _address(sociallogin)
        if not address:
            return
        users = list(get_user_model().objects.filter(email__iexact=address)[:2])
        if not users:
            return
        if len(users) > 1 or not _is_verified(sociallogin):
            refuse(request, TAKEN)
        sociallogin.connect(request, users[0])


def refuse(request: HttpRequest, words: str) -> NoReturn:
    messages.error(request, words.format(settings.OIDC_NAME))
    raise ImmediateHttpResponse(redirect("member:sign_in"))


@never_cache
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """A page that goes on to the provider by itself. A redirect would not do: the policy lets forms
    lead to the gateway only, and browsers hold it against what a form is redirected to."""
    next_page = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(next_page, {request.get_host()}, request.is_secure()):
        next_page = ""
    adapter = Adapter(request)
    try:
        provider = adapter.get_provider(request, PROVIDER)
        onward = provider.redirect(request, process=AuthProcess.LOGIN, next_url=next_page or None)
    except UNUSABLE as error:
        return _failed(request, error)
    context = {"address": onward["Location"], "name": settings.OIDC_NAME}
    return render(request, "member/onward.html", context)


@never_cache
@require_safe
def back(request: HttpRequest, provider_id: str) -> HttpResponse:
    try:
        response: HttpResponse = callback(request, provider_id)
    except (*UNUSABLE, DataError, IntegrityError) as error:
        # The answer holds what no table takes, or the same person came twice at once.
        return _failed(request, error)
    return response


def _failed(request: HttpRequest, error: Exception) -> HttpResponse:
    try:
        Adapter(request).on_authentication_error(request, None, exception=error)
    except ImmediateHttpResponse as refusal:
        response: HttpResponse = refusal.response
        return response


def _claims(sociallogin: Any) -> dict[str, Any]:
    claims = sociallogin.account.get_provider_account().get_user_data()
    return claims if isinstance(claims, dict) else {}


def _address(sociallogin: Any) -> str:
    address = _claims(sociallogin).get("email")
    return address if isinstance(address, str) else ""


def _is_verified(sociallogin: Any) -> bool:
    # Some providers send the word.
    return _claims(sociallogin).get("email_verified") in (True, "true")


def _domain_is_allowed(address: str) -> bool:
    allowed = settings.OIDC_EMAIL_DOMAINS
    return not allowed or address.rpartition("@")[2].lower() in allowed


urlpatterns = [
    path("accounts/sso/", start, name="single_sign_on"),
    # allauth looks for this name and argument.
    path(
        "accounts/sso/callback/",
        back,
        {"provider_id": PROVIDER},
        name="openid_connect_callback",
    ),
]
