"""The icon that every browser asks for."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#264b5d"/>'
    '<path d="M8 25V12a8 8 0 0 1 16 0v13" fill="none" stroke="#fff" stroke-width="3"/>'
    '<path d="M12 18h8m-3-3 3 3-3 3" fill="none" stroke="#f5dd5d" stroke-width="2.5"/></svg>'
)


@cache_control(public=True, max_age=86_400)
def icon(request: HttpRequest) -> HttpResponse:
    return HttpResponse(ICON, content_type="image/svg+xml")
