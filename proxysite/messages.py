"""Stores a page's messages for the next page: as Django does, but in a cookie with a name of its
own, since other Django sites on the same host name use Django's.
"""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class OwnCookie(CookieStorage):
    cookie_name = f"{settings.COOKIE_PREFIX}_messages"


class Messages(FallbackStorage):
    storage_classes = (OwnCookie, SessionStorage)
