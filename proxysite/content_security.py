"""Content-Security-Policy for admin and pages: nothing inline, nothing from other hosts.

The admin's theme uses Alpine.js, which compiles the expressions in its attributes and sets style
attributes: that is allowed on the admin's pages alone, and inline scripts nowhere.
"""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

ADMIN_POLICY = f"{POLICY}; script-src 'self' 'unsafe-eval'; style-src-attr 'unsafe-inline'"

Handler = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class ContentSecurityMiddleware:
    """Sets the policy on every page that does not set its own."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        return self.with_policy(request, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        assert not isinstance(response, HttpResponseBase)
        return self.with_policy(request, await response)

    def with_policy(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        match = request.resolver_match
        is_admin = match is not None and "admin" in match.app_names
        policy = ADMIN_POLICY if is_admin else POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        return response
