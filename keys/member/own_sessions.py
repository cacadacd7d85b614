"""Sessions on the members' pages: a list of the newest, and a page for each. One's own, and for a
lead those of the team. 404 for those of others.
"""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from keys.log.sessions import page_context, read_session, recent_sessions
from keys.member import policy
from keys.member.views import page


@page
def sessions(request: HttpRequest) -> HttpResponse:
    recent = recent_sessions(owner_id=_user_id(request))
    url = reverse("member:session")
    return render(request, "member/sessions.html", {"recent": recent, "url": url})


@page
def session(request: HttpRequest) -> HttpResponse:
    return render(request, "member/session.html", _found(request, owner_id=_user_id(request)))


@page
def team_sessions(request: HttpRequest) -> HttpResponse:
    """Those whose requests were the team's when they were made, whoever is in it now."""
    recent = recent_sessions(team_id=_led_team_id(request))
    url = reverse("member:team_session")
    context = {"recent": recent, "url": url, "of_all": True}
    return render(request, "member/team_sessions.html", context)


@page
def team_session(request: HttpRequest) -> HttpResponse:
    context = _found(request, team_id=_led_team_id(request))
    context["shares"].append(("By member and key", context["session"].people))
    return render(request, "member/team_session.html", context)


def _found(request: HttpRequest, **of: int) -> dict[str, Any]:
    found = read_session(request.GET.get("session", ""), **of)
    if found is None:
        raise Http404("You have no such session.")
    return page_context(found, request.GET.get("show", ""))


def _led_team_id(request: HttpRequest) -> int:
    team = policy.led_team(request.user)
    if team is None:
        raise Http404("You lead no team.")
    return int(team.pk)


def _user_id(request: HttpRequest) -> int:
    assert request.user.pk is not None
    return int(request.user.pk)
