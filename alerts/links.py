"""Addresses of pages, for whoever reads of them elsewhere."""

from django.conf import settings
from django.urls import reverse


def _below(path: str) -> str:
    """Without the prefix of the site, which `reverse` adds within a request and not elsewhere."""
    prefix = settings.URL_PREFIX
    return path.removeprefix(prefix) if prefix and path.startswith(f"{prefix}/") else path


def absolute(path: str) -> str:
    return f"{settings.PUBLIC_URL}{_below(path)}"


def local(path: str) -> str:
    """For a page of this site."""
    return f"{settings.URL_PREFIX}{_below(path)}"


def of_alert(alert_id: int) -> str:
    return absolute(reverse("admin:alerts_alert_change", args=[alert_id]))


def of_dashboard() -> str:
    return absolute(reverse("admin:index"))
