"""Signing in and out: Django's views with the members' templates.

`proxysite/login_throttle.py` slows down guessing of passwords.
"""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse, reverse_lazy

# Sent with the request when the provider has identified somebody, before it is decided whether they
# may sign in.
came_back = Signal()


class SignInView(LoginView):
    template_name = "member/sign_in.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        name = settings.OIDC_NAME if settings.OIDC_ISSUER else ""
        return super().get_context_data(single_sign_on_name=name, **kwargs)


class SignOutView(LogoutView):
    next_page = "member:sign_in"


class PasswordView(PasswordChangeView):
    template_name = "member/password.html"
    success_url = reverse_lazy("member:home")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is changed.")
        return super().form_valid(form)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The CSRF_FAILURE_VIEW. Most often the form was rendered before the user signed in, which
    changes the token. Django logs the reason."""
    admin = reverse("admin:index")
    onward = admin if request.path.startswith(admin) else reverse("member:home")
    return render(request, "member/old_form.html", {"onward": onward}, status=403)
