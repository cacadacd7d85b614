"""The pages. `/v1` and health do not come here: see `asgi.py`."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from proxysite.icon import icon

admin.autodiscover()

urlpatterns = [
    path("admin/", admin.site.urls),
    path("favicon.ico", icon),
    path("", include("keys.member.urls")),
]

if settings.OIDC_ISSUER:
    urlpatterns.append(path("", include("keys.member.single_sign_on")))
