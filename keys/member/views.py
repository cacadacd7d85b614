"""The pages of a member: own keys, their use, their requests; a lead has the key pages also for the
team's keys (`whose.py`). 404 for what belongs to others.

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
from keys.member.whose import OF_TEAM, OWN, Whose
from keys.models import Key, Membership, Revision
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
def new_key(request: HttpRequest, user_id: int | None = None) -> HttpResponse:
    """For a member whom the user leads, or without `user_id` for the user."""
    member = None if user_id is None else _led_member(request, user_id)
    whose = OWN if member is None else OF_TEAM
    owner = request.user if member is None else member.user
    of_team = None if member is None else policy.team_amounts(member.team)
    data = request.POST if request.method == "POST" else None
    form = NewKeyForm(data, ceiling=policy.ceiling_of_new_keys(), of_team=of_team)
    if form.is_valid():
        try:
            with transaction.atomic():
                sending = take_form(request)
                # The lock: who leaves the team at this moment is out of it, or gets the key before.
                Revision.take_next()
                if user_id is not None:
                    _led_member(request, user_id)
                key, text = policy.make_key(owner, **form.key_fields)
                form.change_more(key)
                note_made(key, _user_id(request), f"Made by {whose.by}.")
                sending.made(key.pk)
        except policy.MayNotMakeKeys:
            return redirect(whose.home)
        except SentBefore as before:
            return _made_before(request, before, whose)
        title = "Your new key" if whose.is_own else f"The new key of {owner}"
        return _show_once(request, key, text, title, whose)
    context = {"form": form, "may_make": policy.may_make_another(owner)}
    return render(request, "member/new_key.html", {**context, "whose": whose, "owner": owner})


@page
def key_page(request: HttpRequest, key_id: int, whose: Whose = OWN) -> HttpResponse:
    key = whose.find(request.user, key_id)
    [seen] = shown_keys([key])
    target = examples.target(request, key, _model_for(key))
    context = {
        "shown": seen,
        "key": key,
        "whose": whose,
        "snippets": snippets(target),
        "base_url": target.base_url,
    }
    return render(request, "member/key.html", context)


@form_page
def change_limits(request: HttpRequest, key_id: int, whose: Whose = OWN) -> HttpResponse:
    if request.method != "POST":
        key = whose.find_in_force(request.user, key_id)
        form = _limits_form(request, key, whose)
        return render(request, "member/limits.html", {"form": form, "key": key, "whose": whose})
    with transaction.atomic():
        # The lock prevents an operator from lowering a limit between the check and the save.
        Revision.take_next()
        key = whose.find_in_force(request.user, key_id)
        form = _limits_form(request, key, whose)
        if form.is_valid():
            values = form.key_fields
            changed = [name for name, value in values.items() if getattr(key, name) != value]
            for name in changed:
                setattr(key, name, values[name])
            if changed:
                key.save(update_fields=changed)
            told = [*map(form.label_of, changed), *form.change_more(key)]
            if told:
                note_change(key, _user_id(request), f"Limited by {whose.by}: {', '.join(told)}.")
    if not form.is_valid():
        return render(request, "member/limits.html", {"form": form, "key": key, "whose": whose})
    messages.success(request, f"Saved the limits of {key.name}.")
    return redirect(whose.key, key_id)


@form_page
def rotate(request: HttpRequest, key_id: int, whose: Whose = OWN) -> HttpResponse:
    key = whose.find_in_force(request.user, key_id)
    form = OwnRotateForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "member/rotate.html", {"form": form, "key": key, "whose": whose})
    told = f"Rotated by {whose.by}, overlap {form.data['overlap']}."
    try:
        with transaction.atomic():
            sending = take_form(request)
            Revision.take_next()
            key = whose.find(request.user, key_id)
            text = key.rotate(form.cleaned_data["overlap"])
            note_change(key, _user_id(request), told)
            sending.made(key.pk)
    except CannotChangeKey as error:
        # It was revoked or expired a moment ago.
        key = whose.find(request.user, key_id)
        messages.error(request, policy.why_out_of_force(key) or str(error))
        return redirect(whose.home)
    except SentBefore as before:
        return _made_before(request, before, whose)
    title = "The new secret of your key" if whose.is_own else f"The new secret of {key.name}"
    return _show_once(request, key, text, title, whose)


@form_page
def revoke(request: HttpRequest, key_id: int, whose: Whose = OWN) -> HttpResponse:
    if request.method != "POST":
        key = whose.find(request.user, key_id)
        return render(request, "member/revoke.html", {"key": key, "whose": whose})
    with transaction.atomic():
        Revision.take_next()
        key = whose.find(request.user, key_id)
        revoked = key.revoke()
        if revoked:
            note_change(key, _user_id(request), f"Revoked by {whose.by}.")
    if revoked:
        messages.success(request, f"{key.name} is revoked.")
    return redirect(whose.home)


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


def _show_once(request: HttpRequest, key: Key, text: str, title: str, whose: Whose) -> HttpResponse:
    target = examples.target(request, key, _model_for(key), text)
    context = {
        "key": key,
        "text": text,
        "title": title,
        "whose": whose,
        "snippets": snippets(target),
        "base_url": target.base_url,
    }
    response = render(request, "member/shown_once.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _made_before(request: HttpRequest, before: SentBefore, whose: Whose) -> HttpResponse:
    messages.warning(request, MADE_BEFORE)
    key = whose.keys(request.user).filter(pk=before.made_id).first()
    return redirect(whose.home) if key is None else redirect(whose.key, key.pk)


def _led_member(request: HttpRequest, user_id: int) -> Membership:
    member = policy.members_of_led_team(request.user).filter(user_id=user_id).first()
    if member is None or not member.user.is_active:
        raise Http404("You lead no team with such a member.")
    return member


def _limits_form(request: HttpRequest, key: Key, whose: Whose) -> LimitsForm:
    team = None if whose.is_own else policy.led_team(request.user)
    return LimitsForm(
        request.POST if request.method == "POST" else None,
        ceiling=policy.ceiling_of(key),
        initial=limits_of(key),
        of_team=None if team is None else policy.team_amounts(team),
    )


def _user_id(request: HttpRequest) -> int:
    assert request.user.pk is not None
    return int(request.user.pk)


def _model_for(key: Key) -> str:
    """A model for examples that the key may use: one that it names, one used for text, or the
    usual."""
    patterns = key.allowed_models
    named = [text for text in patterns if policy.is_name(text)]
    _, models = recent_days(key.owner_id or 0)
    used = [one.model for one in models if one.makes_text]
    for name in (*named, *used, USUAL_MODEL.name):
        if _MODEL_NAME.fullmatch(name) and (
            not patterns or policy.is_within_patterns(name, patterns)
        ):
            return name
    return USUAL_MODEL.name
