"""The channels that the settings name. Imported by every process: what sends is beside it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

MAIL: Final = "mail:"


@dataclass(frozen=True, slots=True)
class Channel:
    """`name` is for the database, `label` for people; neither holds a secret."""

    name: str
    label: str


def channels() -> Iterator[Channel]:
    """Those of the operators, in the order of the settings."""
    seen: set[str] = set()
    for url in settings.ALERT_WEBHOOKS:
        name = webhook_name(url)
        if name not in seen:
            yield Channel(name, webhook_label(url))
        seen.add(name)
    if settings.EMAIL_URL:
        for address in dict.fromkeys(settings.ALERT_EMAILS):
            yield mail_channel(address)


def mail_channel(address: str) -> Channel:
    return Channel(MAIL + address, f"mail to {address}")


def webhook_name(url: str) -> str:
    """Names the channel in the database, where the URL itself has no place."""
    return f"webhook:{hashlib.sha256(url.encode()).hexdigest()[:24]}"


def webhook_label(url: str) -> str:
    parts = urlsplit(url)
    return f"webhook {parts.hostname}" + (f":{parts.port}" if parts.port else "")
