"""The pages. `/v1` and health do not come here: see `asgi.py`.

A worker imports this when the first page is asked for (`pages.py`).
"""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from proxysite.icon import icon

admin.autodiscover()

handler400 = "proxysite.failure_pages.bad_request"
handler404 = "proxysite.failure_pages.not_found"
handler500 = "proxysite.failure_pages.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("favicon.ico", icon),
    path("api/", include("management_api.urls")),
    path("", include("keys.member.urls")),
]

if settings.OIDC_ISSUER:
    urlpatterns.append(path("", include("keys.member.single_sign_on")))
