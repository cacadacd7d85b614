"""Limits how often somebody may try to sign in, on the admin's page and the members'.

Every try passes `ThrottledModelBackend`, whatever page it comes from. It is counted before the
password is checked, in the database, so that simultaneous tries and tries on several workers or
hosts share one count, and is taken back when the password was right. Over a limit the backend
raises `TooManySignIns`, which `LoginThrottleMiddleware` turns into a page with 429 and
`Retry-After`. Unknown names are counted as any other, so that nothing tells which names exist.

A redirect to the provider of single sign-on counts as well, until the person has signed in: each
redirect makes a session.
"""

import hashlib
import ipaddress
import math
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django.utils import timezone

from keys.addresses import address
from keys.member.sign_in import came_back
from proxysite.models import FailedSignIns

WINDOW: Final = timedelta(minutes=5)
# Failures in a window. The first limits guesses from one address at one account; the second those
# from one address at many names; the third those from many addresses at one account, and is high,
# since it locks the account's owner out too.
OF_ACCOUNT_AND_ADDRESS: Final = 5
OF_ADDRESS: Final = 20
OF_ACCOUNT: Final = 100
# Redirects to the provider of single sign-on without a sign-in yet.
AWAY_OF_ADDRESS: Final = 20
# A row this long after its window is no longer needed.
KEPT: Final = timedelta(hours=1)


class TooManySignIns(Exception):
    """Over a limit: the password was not checked."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many tries to sign in; again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Count:
    """One of the counts that a try adds to."""

    whose: str
    limit: int


class ThrottledModelBackend(ModelBackend):
    """Django's accounts, with a limit on wrong passwords."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> Any:
        name = username or kwargs.get(get_user_model().USERNAME_FIELD)
        # Without a request it is no try over the network, but a command or a test.
        if request is None or name is None or password is None:
            return super().authenticate(request, username, password, **kwargs)
        counts = counts_of(str(name), request.META.get("REMOTE_ADDR", ""))
        begin_try(counts)
        user = super().authenticate(request, username, password, **kwargs)
        if user is not None:
            take_back(counts)
        return user


def counts_of(name: str, address: str) -> list[Count]:
    """Always in this order, from narrow to wide, so that two tries cannot deadlock."""
    account = unicodedata.normalize("NFKC", name).casefold().strip()
    network = _network(address)
    return [
        Count(_hash("both", account, network), OF_ACCOUNT_AND_ADDRESS),
        Count(_hash("address", network), OF_ADDRESS),
        Count(_hash("account", account), OF_ACCOUNT),
    ]


def begin_try(counts: list[Count], now: datetime | None = None) -> None:
    """Counts a try as failed. When it raises `TooManySignIns`, nothing was counted."""
    now = now or timezone.now()
    with transaction.atomic():
        FailedSignIns.objects.filter(window_ends_at__lt=now - KEPT).delete()
        rows = []
        for count in counts:
            # The lock on each row is held until the commit, so simultaneous tries are serialised.
            row, _ = FailedSignIns.objects.select_for_update().get_or_create(
                whose=count.whose, defaults={"count": 0, "window_ends_at": now + WINDOW}
            )
            if row.window_ends_at <= now:
                row.count, row.window_ends_at = 0, now + WINDOW
            rows.append((row, count.limit))
        waits = [row.window_ends_at - now for row, limit in rows if row.count >= limit]
        if waits:
            raise TooManySignIns(max(1, math.ceil(max(waits).total_seconds())))
        for row, _ in rows:
            row.count += 1
            row.save(update_fields=["count", "window_ends_at"])


def away_from(request: HttpRequest) -> Count:
    network = _network(request.META.get("REMOTE_ADDR", ""))
    return Count(_hash("single sign-on", network), AWAY_OF_ADDRESS)


def note_return(sender: object, request: HttpRequest, **event: object) -> None:
    FailedSignIns.objects.filter(whose=away_from(request).whose, count__gt=0).update(
        count=F("count") - 1
    )


came_back.connect(note_return, dispatch_uid="proxysite.login_throttle")


def _page_of(request: HttpRequest) -> str | None:
    return None if request.resolver_match is None else request.resolver_match.view_name


def take_back(counts: list[Count]) -> None:
    """The password was right. Others' failures from the same address still count."""
    both, *wider = counts
    with transaction.atomic():
        FailedSignIns.objects.filter(whose=both.whose).update(count=0)
        for count in wider:
            tries = FailedSignIns.objects.filter(whose=count.whose, count__gt=0)
            tries.update(count=F("count") - 1)


def _network(text: str) -> str:
    """The address; of IPv6 its /64, as one owner has all addresses in it."""
    try:
        ip = address(text)
    except ValueError:
        return text
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ipaddress.ip_network((ip, 64), strict=False))


def _hash(*parts: str) -> str:
    text = "\0".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


Handler = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class LoginThrottleMiddleware:
    """Answers `TooManySignIns`, whatever page the try came from."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        if request.method != "POST" or _page_of(request) != "single_sign_on":
            return None
        try:
            begin_try([away_from(request)])
        except TooManySignIns as error:
            return _refused(request, error, resolve_url(settings.LOGIN_URL))
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, TooManySignIns):
            return None
        return _refused(request, error, request.path)


def _refused(request: HttpRequest, error: TooManySignIns, page: str) -> HttpResponse:
    context = {"minutes": math.ceil(error.retry_after_s / 60), "page": page}
    response = render(request, "too_many_sign_ins.html", context, status=429)
    response["Retry-After"] = str(error.retry_after_s)
    response["Cache-Control"] = "no-store"
    return response
