"""The pages. `/v1` and health do not come here: see `asgi.py`."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from proxysite.icon import icon

admin.autodiscover()

handler400 = "proxysite.failure_pages.bad_request"
handler500 = "proxysite.failure_pages.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("favicon.ico", icon),
    # By its name, so that it is imported when it is asked for.
    path("api/", ("management_api.urls", None, None)),  # type: ignore[arg-type]
    path("", include("keys.member.urls")),
]

if settings.OIDC_ISSUER:
    urlpatterns.append(path("", include("keys.member.single_sign_on")))
