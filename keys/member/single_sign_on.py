"""Single sign-on by OpenID Connect, through django-allauth. Imported only if it is configured.

Only one of allauth's pages is used, the one to which the provider sends people back. A person is
identified by the issuer and its `sub`. On the first sign-in the person gets the account with their
address, if the address counts (`claims.py`) and the account is not connected to another person of
this issuer; otherwise a new account without a password. An address that does not count gives access
to no account and is not stored.
"""

import logging
from typing import Any, NoReturn

import requests
from allauth.account.adapter import get_adapter as account_adapter
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.openid_connect.views import callback
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ImproperlyConfigured
from django.db import DataError, IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from keys.member.claims import Address, address_in, groups_in, problem_with
from keys.member.given_by_groups import apply_groups
from keys.member.provider import Provider, ProviderSession
from keys.member.sign_in import came_back

logger = logging.getLogger(__name__)

# The exceptions of a provider that is unreachable, or does not answer according to OpenID Connect.
UNUSABLE = (requests.RequestException, AttributeError, LookupError, TypeError, ValueError)
FAILED = "Signing in with {} failed. Try again, or ask an operator of this gateway."
NOT_FOR_YOU = "{} knows you, but your account may not use this gateway. An operator can help."
NOT_VERIFIED = (
    "{} knows you but does not say that your address is verified, so your account may not use this "
    "gateway. An operator can help."
)
TAKEN = (
    "An account here has your address already, and {} does not say that the address is "
    "verified. An operator of this gateway can help."
)
SOMEBODY_ELSES = (
    "An account here has your address already, and {} knows its person by another identity than "
    "yours. An operator of this gateway can help."
)

# Lifetime of a session before the sign-in is complete; allauth then accepts no answer either.
UNFINISHED_S = 600
_provider = Provider(settings.OIDC_ISSUER)


class Adapter(DefaultSocialAccountAdapter):
    """Decides who may sign in. allauth calls the methods in the order of this class."""

    def get_requests_session(self) -> ProviderSession:
        return ProviderSession(_provider)

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, **details: Any
    ) -> NoReturn:
        reason = details.get("exception") or error
        logger.warning("Single sign-on failed: %s", str(reason).partition("\n")[0][:200])
        refuse(request, FAILED)

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: Any) -> Any:
        user = super().populate_user(request, sociallogin, data)
        address = _address(sociallogin)
        user.email = address.text if address.counts else ""
        return user

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        problem = problem_with(sociallogin.account.extra_data)
        if problem is not None:
            self.on_authentication_error(request, None, error=problem)
        came_back.send(sender=None, request=request)
        address = _address(sociallogin)
        if settings.OIDC_EMAIL_DOMAINS and address.domain not in settings.OIDC_EMAIL_DOMAINS:
            refuse(request, NOT_FOR_YOU)
        if not sociallogin.is_existing:
            self._connect(request, sociallogin, address)
        if settings.OIDC_EMAIL_DOMAINS and not address.counts:
            refuse(request, NOT_VERIFIED)
        if sociallogin.is_existing:
            if not sociallogin.user.is_active:
                refuse(request, NOT_FOR_YOU)
            _keep_address(sociallogin.user, address)
            _apply_groups(sociallogin)
        # The decision is made here, and not a second time by allauth.
        sociallogin.email_addresses = []

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return True

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> Any:
        user = sociallogin.user
        user.set_unusable_password()
        account_adapter(request).populate_username(request, user)
        with transaction.atomic():
            # As with existing accounts, allauth's own table of addresses stays empty.
            sociallogin.save(request, connect=True)
            _apply_groups(sociallogin)
        return user

    def _connect(self, request: HttpRequest, sociallogin: Any, address: Address) -> None:
        users = _accounts_with(address.text)
        if not users:
            return
        if len(users) > 1 or not address.counts:
            refuse(request, TAKEN)
        here = SocialAccount.objects.filter(user=users[0], provider=sociallogin.account.provider)
        if here.exists():
            # Another `sub` of this issuer: the address now belongs to a different person.
            refuse(request, SOMEBODY_ELSES)
        sociallogin.connect(request, users[0])


def refuse(request: HttpRequest, words: str) -> NoReturn:
    messages.error(request, words.format(settings.OIDC_NAME))
    raise ImmediateHttpResponse(redirect("member:sign_in"))


@never_cache
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """A page that continues to the provider automatically. A redirect would be blocked: the content
    security policy allows forms to the gateway only, and browsers apply it to redirects as well."""
    next_page = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(next_page, {request.get_host()}, request.is_secure()):
        next_page = ""
    adapter = Adapter(request)
    try:
        provider = adapter.get_provider(request, settings.OIDC_ISSUER)
        onward = provider.redirect(request, process=AuthProcess.LOGIN, next_url=next_page or None)
    except UNUSABLE as error:
        return _failed(request, error)
    if not request.user.is_authenticated:
        request.session.set_expiry(UNFINISHED_S)
    context = {"address": onward["Location"], "name": settings.OIDC_NAME}
    return render(request, "member/onward.html", context)


@never_cache
@require_safe
def back(request: HttpRequest, provider_id: str) -> HttpResponse:
    try:
        response: HttpResponse = callback(request, provider_id)
    except (*UNUSABLE, DataError, ImproperlyConfigured, IntegrityError) as error:
        # The answer contains what no column takes (for a long `sub` allauth raises
        # ImproperlyConfigured), or the same person signed in twice at once.
        return _failed(request, error)
    return response


def _failed(request: HttpRequest, error: Exception) -> HttpResponse:
    try:
        Adapter(request).on_authentication_error(request, None, exception=error)
    except ImmediateHttpResponse as refusal:
        response: HttpResponse = refusal.response
        return response


def _keep_session(sender: object, request: HttpRequest, **event: object) -> None:
    """After any sign-in, by password too, the session has its normal lifetime again."""
    request.session.set_expiry(None)


user_logged_in.connect(_keep_session, dispatch_uid="keys.member.single_sign_on")


def _address(sociallogin: Any) -> Address:
    sources = sociallogin.account.extra_data
    return address_in(sources, all_are_trusted=settings.OIDC_TRUST_EMAIL)


def _apply_groups(sociallogin: Any) -> None:
    groups = groups_in(sociallogin.account.extra_data, settings.OIDC_GROUPS_CLAIM)
    if not groups.are_known:
        logger.warning(
            "Single sign-on: the claim %r of %r is not an array of texts, or is to be fetched "
            "elsewhere, so it gives no role and no team.",
            settings.OIDC_GROUPS_CLAIM,
            str(sociallogin.account.uid)[:200],
        )
    apply_groups(sociallogin.user, groups)


def _accounts_with(address: str) -> list[Any]:
    """The accounts whose address is known to be this one, at most two: enough to see that there is
    more than one."""
    if not address:
        return []
    # An earlier release stored unverified addresses, and marked them in this table.
    unverified = EmailAddress.objects.filter(email__iexact=address, verified=False)
    users = get_user_model().objects.filter(email__iexact=address)
    return list(users.exclude(pk__in=unverified.values("user_id"))[:2])


def _keep_address(user: Any, address: Address) -> None:
    """Takes over a new address of the person from the provider: otherwise the next owner of the old
    address could get this account. If another account has the new address, both stay unchanged."""
    if not address.counts:
        return
    EmailAddress.objects.filter(user=user, email__iexact=address.text).update(verified=True)
    others = get_user_model().objects.filter(email__iexact=address.text).exclude(pk=user.pk)
    if user.email.lower() == address.text.lower() or others.exists():
        return
    user.email = address.text
    user.save(update_fields=["email"])


urlpatterns = [
    path("accounts/sso/", start, name="single_sign_on"),
    # allauth resolves this name with this argument.
    path(
        "accounts/sso/callback/",
        back,
        {"provider_id": settings.OIDC_ISSUER},
        name="openid_connect_callback",
    ),
]
