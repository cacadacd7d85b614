"""The playground: a page that calls `/v1` with one of the member's keys, like any client.

The page gets a token for the chosen key from here (`keys/access/playground_token.py`) and calls the
API with it, so limits, prices and log rows are those of the key. It reads an answer's cost from the
answer's log row.
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
    """A token for `key`. Answers 401 instead of a redirect, so that the page can ask to sign in."""
    if request.user.pk is None:
        return JsonResponse({"error": "You are signed out. Sign in again."}, status=401)
    chosen = request.POST.get("key", "")
    if not _NUMBER.fullmatch(chosen):
        return JsonResponse({"error": "key is missing: it takes the number of a key."}, status=400)
    key = policy.own_keys(request.user).filter(pk=int(chosen)).first()
    if key is None or key.state() != "active":
        return JsonResponse({"error": "You have no such active key."}, status=404)
    session_key = request.session.session_key or ""
    text = playground_token.make(
        key.pk, request.user.pk, time.time(), session_key, request.user.password
    )
    return JsonResponse({"token": text, "expires_in_s": playground_token.LIFETIME_S})


@never_cache
@require_safe
def answered(request: HttpRequest, request_id: str) -> HttpResponse:
    """The log row of one of the member's answers: what it used and cost. 204 while there is no row:
    a stopped request gets its row a moment later, a request that a limit refused never has one."""
    if request.user.pk is None:
        return JsonResponse({"error": "You are signed out. Sign in again."}, status=401)
    # PostgreSQL rejects text that contains NUL.
    row = None if "\0" in request_id else own_request(request.user.pk, request_id)
    if row is None:
        return HttpResponse(status=204)
    return JsonResponse(request_as_json(row))
