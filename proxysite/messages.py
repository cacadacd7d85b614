"""Where a page's messages wait for the next page: Django's two places, the cookie under a name of
the gateway's own. Other Django sites on the same host name use Django's.
"""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class OwnCookie(CookieStorage):
    cookie_name = f"{settings.COOKIE_PREFIX}_messages"


class Messages(FallbackStorage):
    storage_classes = (OwnCookie, SessionStorage)
