"""Keys that expire soon, told once for each moment at which one is to expire."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from alerts.findings import Finding, Holder
from keys.alerting.owners import addresses
from keys.alerting.pages import own_page_of_key, page_of_key
from keys.models import Key

SOON: Final = timedelta(days=7)


def find(now: datetime) -> Iterator[Finding]:
    ending = Key.objects.filter(
        Q(owner=None) | Q(owner__is_active=True),
        expires_at__gt=now,
        expires_at__lte=now + SOON,
        revoked_at=None,
    )
    keys = list(ending.select_related("owner"))
    mail = addresses(key.owner_id for key in keys)
    for key in keys:
        assert key.expires_at is not None
        whose = f" of {key.owner}" if key.owner else ""
        yield Finding(
            event="key_ends",
            series=f"key_ends:{key.pk}:{key.expires_at:%Y-%m-%dT%H:%M:%S}",
            text=f"The key {key.name}{whose} expires on {key.expires_at:%Y-%m-%d at %H:%M} UTC.",
            holder=Holder("key", key.name, key.pk),
            figures={"expires_at": key.expires_at.isoformat(timespec="seconds")},
            admin_path=page_of_key(key.pk),
            owner_path=own_page_of_key(key.pk),
            mail_to=mail.get(key.owner_id or 0, ()),
        )
