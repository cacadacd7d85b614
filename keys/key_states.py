"""The states of keys, as `Key.state` tells them, as conditions of queries."""

from typing import Final

from django.db.models import Q
from django.utils import timezone

KEY_STATES: Final = ("active", "revoked", "expired", "owner inactive")


def of_state(state: str) -> Q:
    """The keys that are in one of KEY_STATES now."""
    now = timezone.now()
    in_time = Q(expires_at=None) | Q(expires_at__gt=now)
    owned = Q(owner=None) | Q(owner__is_active=True)
    return {
        "active": Q(revoked_at=None) & in_time & owned,
        "revoked": Q(revoked_at__isnull=False),
        "expired": Q(revoked_at=None, expires_at__lte=now),
        "owner inactive": Q(revoked_at=None, owner__is_active=False) & in_time,
    }[state]
