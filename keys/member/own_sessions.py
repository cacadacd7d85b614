"""A member's sessions: a list of the newest, and a page for each. 404 for those of others."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from keys.log.sessions import page_context, read_session, recent_sessions
from keys.member.views import page


@page
def sessions(request: HttpRequest) -> HttpResponse:
    recent = recent_sessions(_user_id(request))
    url = reverse("member:session")
    return render(request, "member/sessions.html", {"recent": recent, "url": url})


@page
def session(request: HttpRequest) -> HttpResponse:
    found = read_session(request.GET.get("session", ""), owner_id=_user_id(request))
    if found is None:
        raise Http404("You have no such session.")
    context = page_context(found, request.GET.get("show", ""))
    return render(request, "member/session.html", context)


def _user_id(request: HttpRequest) -> int:
    assert request.user.pk is not None
    return int(request.user.pk)
