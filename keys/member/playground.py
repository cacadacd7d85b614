"""The playground: a page that talks to `/v1` through a key of the member's, as any client does.

The page itself answers nothing. It gets a token for the chosen key here (`playground_token.py`),
and calls the API with it, so limits, prices and log rows are those of the key. What an answer cost
it reads from the answer's own log row.
"""

import re
import time
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from keys.access import playground_token
from keys.member import policy
from keys.member.own_requests import own_request, request_as_json

_NUMBER: Final = re.compile(r"[0-9]{1,18}")


@never_cache
@login_required
@require_safe
def playground(request: HttpRequest) -> HttpResponse:
    keys = [key for key in policy.own_keys(request.user) if key.state() == "active"]
    chosen = request.GET.get("key", "")
    context = {"keys": keys, "chosen": int(chosen) if _NUMBER.fullmatch(chosen) else None}
    return render(request, "member/playground.html", context)


@never_cache
@require_POST
def token(request: HttpRequest) -> JsonResponse:
    """`key` → a token for it. 401 tells the page to sign in again, which a redirect would not."""
    if request.user.pk is None:
        return JsonResponse({"error": "You are signed out. Sign in again."}, status=401)
    chosen = request.POST.get("key", "")
    if not _NUMBER.fullmatch(chosen):
        return JsonResponse({"error": "key is missing: it takes the number of a key."}, status=400)
    key = policy.own_keys(request.user).filter(pk=int(chosen)).first()
    if key is None or key.state() != "active":
        return JsonResponse({"error": "You have no such key in force."}, status=404)
    session_key = request.session.session_key or ""
    text = playground_token.make(
        key.pk, request.user.pk, time.time(), session_key, request.user.password
    )
    return JsonResponse({"token": text, "expires_in_s": playground_token.LIFETIME_S})


@never_cache
@require_safe
def answered(request: HttpRequest, request_id: str) -> HttpResponse:
    """The log row of an answer of the member's: what it used and what it cost. 204 while there is
    none: a request that was stopped gets its row a moment later, one that a limit refused never."""
    if request.user.pk is None:
        return JsonResponse({"error": "You are signed out. Sign in again."}, status=401)
    # A NUL is more than PostgreSQL takes in a text.
    row = None if "\0" in request_id else own_request(request.user.pk, request_id)
    if row is None:
        return HttpResponse(status=204)
    return JsonResponse(request_as_json(row))
