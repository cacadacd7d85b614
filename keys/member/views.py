"""The pages of a member: own keys, their use, their requests. 404 for what belongs to others.

A secret is shown in exactly one response, that to the POST that made it.
"""

import re
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from keys import examples, shown
from keys.errors import CannotChangeKey
from keys.key_history import note_change, note_made
from keys.member import policy
from keys.member.forms import LimitsForm, NewKeyForm, OwnRotateForm, limits_of
from keys.member.mail import mail_context
from keys.member.own_keys import shown_keys, shown_owner
from keys.member.own_requests import request_page
from keys.member.recent_use import CHART_DAYS, DAY_COLUMNS, MODEL_COLUMNS, recent_days
from keys.models import Key, Revision
from keys.sent_forms import MADE_BEFORE, SentBefore, take_form
from keys.snippet import USUAL_MODEL
from keys.snippets import snippets
from theme.chart import Bucket, stacked


def page(view: Any) -> Any:
    """A page for signed-in members, which no cache stores."""
    return never_cache(login_required(require_safe(view)))


def form_page(view: Any) -> Any:
    return never_cache(login_required(require_http_methods(["GET", "HEAD", "POST"])(view)))


_MODEL_NAME: Final = re.compile(r"[\w@./:-]+")
_MEASURES: Final = {"cost": "Cost", "requests": "Requests", "tokens": "Tokens"}


@page
def home(request: HttpRequest) -> HttpResponse:
    keys = shown_keys(list(policy.own_keys(request.user)))
    context = {
        "in_force": [key for key in keys if key.in_force],
        "ended": [key for key in keys if not key.in_force],
        "owner": shown_owner(request.user),
        "may_make": policy.may_make_another(request.user),
        "most_keys": policy.most_keys(request.user),
        **mail_context(request.user),
    }
    return render(request, "member/home.html", context)


@form_page
def new_key(request: HttpRequest) -> HttpResponse:
    ceiling = policy.ceiling_of_new_keys()
    form = NewKeyForm(request.POST if request.method == "POST" else None, ceiling=ceiling)
    if form.is_valid():
        try:
            with transaction.atomic():
                sending = take_form(request)
                key, text = policy.make_key(request.user, **form.key_fields)
                note_made(key, _user_id(request), "Made by its owner.")
                sending.made(key.pk)
        except policy.MayNotMakeKeys:
            return redirect("member:home")
        except SentBefore as before:
            return _made_before(request, before)
        return _show_once(request, key, text, "Your new key")
    may_make = policy.may_make_another(request.user)
    return render(request, "member/new_key.html", {"form": form, "may_make": may_make})


@page
def key_page(request: HttpRequest, key_id: int) -> HttpResponse:
    key = _own_key(request, key_id)
    [seen] = shown_keys([key])
    target = examples.target(request, key, _model_for(request, key))
    context = {
        "shown": seen,
        "key": key,
        "snippets": snippets(target),
        "base_url": target.base_url,
    }
    return render(request, "member/key.html", context)


@form_page
def change_limits(request: HttpRequest, key_id: int) -> HttpResponse:
    if request.method != "POST":
        key = _own_key_in_force(request, key_id)
        form = LimitsForm(ceiling=policy.ceiling_of(key), initial=limits_of(key))
        return render(request, "member/limits.html", {"form": form, "key": key})
    with transaction.atomic():
        # The lock prevents an operator from lowering a limit between the check and the save.
        Revision.take_next()
        key = _own_key_in_force(request, key_id)
        form = LimitsForm(request.POST, ceiling=policy.ceiling_of(key), initial=limits_of(key))
        if form.is_valid():
            values = form.key_fields
            changed = [name for name, value in values.items() if getattr(key, name) != value]
            for name in changed:
                setattr(key, name, values[name])
            if changed:
                key.save(update_fields=changed)
                told = ", ".join(form.label_of(name) for name in changed)
                note_change(key, _user_id(request), f"Limited by its owner: {told}.")
    if not form.is_valid():
        return render(request, "member/limits.html", {"form": form, "key": key})
    messages.success(request, f"Saved the limits of {key.name}.")
    return redirect("member:key", key_id)


@form_page
def rotate(request: HttpRequest, key_id: int) -> HttpResponse:
    key = _own_key_in_force(request, key_id)
    form = OwnRotateForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "member/rotate.html", {"form": form, "key": key})
    told = f"Rotated by its owner, overlap {form.data['overlap']}."
    try:
        with transaction.atomic():
            sending = take_form(request)
            text = key.rotate(form.cleaned_data["overlap"])
            note_change(key, _user_id(request), told)
            sending.made(key.pk)
    except CannotChangeKey as error:
        # It was revoked or expired a moment ago.
        messages.error(request, policy.why_out_of_force(_own_key(request, key_id)) or str(error))
        return redirect("member:home")
    except SentBefore as before:
        return _made_before(request, before)
    return _show_once(request, key, text, "The new secret of your key")


@form_page
def revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    key = _own_key(request, key_id)
    if request.method != "POST":
        return render(request, "member/revoke.html", {"key": key})
    if key.revoke():
        note_change(key, _user_id(request), "Revoked by its owner.")
        messages.success(request, f"{key.name} is revoked.")
    return redirect("member:home")


@page
def usage(request: HttpRequest) -> HttpResponse:
    days, models = recent_days(_user_id(request))
    measure = request.GET.get("show", "cost")
    if measure not in _MEASURES:
        measure = "cost"
    values = {
        "cost": [day.cost_nano_usd for day in days],
        "requests": [day.requests for day in days],
        "tokens": [day.tokens for day in days],
    }[measure]
    text = shown.usd if measure == "cost" else shown.short
    buckets = [Bucket(day.day, day.day, f"{day.day:%d %b}") for day in days]
    context = {
        "chart": stacked(buckets, [measure], [values], text),
        "measure": _MEASURES[measure],
        "measures": [(name, label, name == measure) for name, label in _MEASURES.items()],
        "days": [day for day in reversed(days) if day.requests],
        "models": models,
        "day_columns": DAY_COLUMNS,
        "model_columns": MODEL_COLUMNS,
        "chart_days": CHART_DAYS,
        "owner": shown_owner(request.user),
    }
    return render(request, "member/usage.html", context)


@page
def requests(request: HttpRequest) -> HttpResponse:
    asked = request.GET
    chosen = asked.get("key", "")
    key_id = int(chosen) if re.fullmatch(r"[0-9]{1,18}", chosen) else None
    failed = asked.get("failed") == "1"
    found = request_page(
        _user_id(request), key_id=key_id, failed=failed, before=asked.get("before", "")
    )
    filters = {"key": key_id or "", "failed": "1" if failed else ""}
    filters = {name: value for name, value in filters.items() if value}
    context = {
        "page": found,
        "keys": policy.own_keys(request.user),
        "key_id": key_id,
        "failed": failed,
        "is_filtered": bool(filters),
        "is_first": not asked.get("before"),
        "newest_url": "?" + urlencode(filters),
        "older_url": "?" + urlencode({**filters, "before": found.older}) if found.older else "",
    }
    return render(request, "member/requests.html", context)


def _show_once(request: HttpRequest, key: Key, text: str, title: str) -> HttpResponse:
    target = examples.target(request, key, _model_for(request, key), text)
    context = {
        "key": key,
        "text": text,
        "title": title,
        "snippets": snippets(target),
        "base_url": target.base_url,
    }
    response = render(request, "member/shown_once.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _made_before(request: HttpRequest, before: SentBefore) -> HttpResponse:
    messages.warning(request, MADE_BEFORE)
    key = policy.own_keys(request.user).filter(pk=before.made_id).first()
    return redirect("member:home") if key is None else redirect("member:key", key.pk)


def _own_key(request: HttpRequest, key_id: int) -> Key:
    key = policy.own_keys(request.user).filter(pk=key_id).first()
    if key is None:
        raise Http404("You have no such key.")
    return key


def _own_key_in_force(request: HttpRequest, key_id: int) -> Key:
    key = _own_key(request, key_id)
    problem = policy.why_out_of_force(key)
    if problem is not None:
        raise Http404(problem)
    return key


def _user_id(request: HttpRequest) -> int:
    assert request.user.pk is not None
    return int(request.user.pk)


def _model_for(request: HttpRequest, key: Key) -> str:
    """A model for examples that the key may use: one that it names, one used for text, or the
    usual."""
    patterns = key.allowed_models
    named = [text for text in patterns if policy.is_name(text)]
    _, models = recent_days(_user_id(request))
    used = [one.model for one in models if one.makes_text]
    for name in (*named, *used, USUAL_MODEL.name):
        if _MODEL_NAME.fullmatch(name) and (
            not patterns or policy.is_within_patterns(name, patterns)
        ):
            return name
    return USUAL_MODEL.name
