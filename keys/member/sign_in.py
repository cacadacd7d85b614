"""Signing in and out: Django's views with the members' templates.

`proxysite/login_throttle.py` slows down guessing of passwords.
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse, reverse_lazy

from theme.site import ways_in

# Sent with the request when the provider has identified somebody, before it is decided whether they
# may sign in.
came_back = Signal()


class NoPasswords(ModelBackend):
    """The backend under OIDC_ONLY. Sessions remember the backend that they began with, so those
    that began with a password are over with the restart that turns passwords off."""

    def authenticate(self, *args: Any, **kwargs: Any) -> None:
        return None


class SignInView(LoginView):
    template_name = "member/sign_in.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**ways_in(), **kwargs)


class SignOutView(LogoutView):
    next_page = "member:sign_in"


class PasswordView(PasswordChangeView):
    template_name = "member/password.html"
    success_url = reverse_lazy("member:home")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**ways_in(), **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is changed.")
        return super().form_valid(form)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The CSRF_FAILURE_VIEW. Most often the form was rendered before the user signed in, which
    changes the token. Django logs the reason."""
    admin = reverse("admin:index")
    onward = admin if request.path.startswith(admin) else reverse("member:home")
    return render(request, "member/old_form.html", {"onward": onward}, status=403)
