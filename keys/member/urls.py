"""The members' pages. No path may begin like a path of the API without its /v1."""

from django.contrib.auth.decorators import login_required
from django.urls import path
from django.views.decorators.cache import never_cache

from keys.member import mail, own_sessions, playground, raises, team_page, views
from keys.member.sign_in import PasswordView, SignInView, SignOutView
from keys.member.whose import OF_TEAM

app_name = "member"
OF_LED_TEAM = {"whose": OF_TEAM}

urlpatterns = [
    path("", views.home, name="home"),
    path("keys/new/", views.new_key, name="new_key"),
    path("keys/<int:key_id>/", views.key_page, name="key"),
    path("keys/<int:key_id>/limits/", views.change_limits, name="limits"),
    path("keys/<int:key_id>/rotate/", views.rotate, name="rotate"),
    path("keys/<int:key_id>/revoke/", views.revoke, name="revoke"),
    path("team/", team_page.team, name="team"),
    path("team/sessions/", own_sessions.team_sessions, name="team_sessions"),
    path("team/sessions/one/", own_sessions.team_session, name="team_session"),
    path("team/members/<int:user_id>/keys/new/", views.new_key, name="team_new_key"),
    path("team/keys/<int:key_id>/", views.key_page, OF_LED_TEAM, name="team_key"),
    path("team/keys/<int:key_id>/limits/", views.change_limits, OF_LED_TEAM, name="team_limits"),
    path("team/keys/<int:key_id>/rotate/", views.rotate, OF_LED_TEAM, name="team_rotate"),
    path("team/keys/<int:key_id>/revoke/", views.revoke, OF_LED_TEAM, name="team_revoke"),
    path("keys/<int:key_id>/ask/", raises.ask, name="ask"),
    path("raises/", raises.raises, name="raises"),
    path("raises/<int:asked_id>/<str:decision>/", raises.decide, name="decide_raise"),
    path("usage/", views.usage, name="usage"),
    path("requests/", views.requests, name="requests"),
    path("sessions/", own_sessions.sessions, name="sessions"),
    path("sessions/one/", own_sessions.session, name="session"),
    path("playground/", playground.playground, name="playground"),
    path("playground/token/", playground.token, name="playground_token"),
    path("playground/requests/<str:request_id>/", playground.answered, name="playground_answer"),
    path("accounts/login/", SignInView.as_view(), name="sign_in"),
    path("accounts/logout/", SignOutView.as_view(), name="sign_out"),
    path("accounts/mail/", mail.choose, name="mail"),
    path(
        "accounts/password/",
        never_cache(login_required(PasswordView.as_view())),
        name="password",
    ),
]
