"""The sessions in the admin: a list of the newest, and a page for each."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from keys.log.sessions import page_context, read_session, recent_sessions
from theme.model_admin import ModelAdmin

SESSIONS = "admin/keys/requestlog/sessions.html"
SESSION = "admin/keys/requestlog/session.html"


def sessions_page(admin: ModelAdmin, request: HttpRequest) -> TemplateResponse:
    _check_may_view(admin, request)
    url = reverse("admin:keys_requestlog_session")
    recent = recent_sessions()
    return admin.own_page(request, SESSIONS, "Sessions", recent=recent, url=url, of_all=True)


def session_page(admin: ModelAdmin, request: HttpRequest) -> TemplateResponse:
    _check_may_view(admin, request)
    session = read_session(request.GET.get("session", ""))
    if session is None:
        raise Http404("No request names this session.")
    context = page_context(session, request.GET.get("show", ""))
    # One name can be several people's: the client makes it up.
    context["shares"].append(("By owner and key", session.people))
    return admin.own_page(request, SESSION, "Session", **context)


def _check_may_view(admin: ModelAdmin, request: HttpRequest) -> None:
    if not admin.has_view_permission(request):
        raise PermissionDenied
