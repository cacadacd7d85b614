"""The channels that the settings name."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from alerts.channels import mail, webhook
from alerts.channels.outcome import Outcome
from alerts.messages import Message

_MAIL: Final = "mail:"


@dataclass(frozen=True, slots=True)
class Channel:
    """`name` is for the database, `label` for people; neither holds a secret."""

    name: str
    label: str


def channels() -> Iterator[Channel]:
    """Those of the operators, in the order of the settings."""
    seen: set[str] = set()
    for url in settings.ALERT_WEBHOOKS:
        name = webhook.channel_of(url)
        if name not in seen:
            yield Channel(name, webhook.label_of(url))
        seen.add(name)
    if settings.EMAIL_URL:
        for address in dict.fromkeys(settings.ALERT_EMAILS):
            yield mail_channel(address)


def mail_channel(address: str) -> Channel:
    return Channel(_MAIL + address, f"mail to {address}")


def is_set(name: str) -> bool:
    """Whether this process can send through the channel."""
    return bool(settings.EMAIL_URL) if name.startswith(_MAIL) else _url_of(name) is not None


async def send(name: str, message: Message) -> Outcome:
    """Tries once. Raises nothing."""
    if name.startswith(_MAIL) and settings.EMAIL_URL:
        return await mail.send(name.removeprefix(_MAIL), message)
    url = _url_of(name)
    if url is None:
        return Outcome(False, "the settings do not have this channel any more")
    return await webhook.send(url, message)


def _url_of(name: str) -> str | None:
    found = (url for url in settings.ALERT_WEBHOOKS if webhook.channel_of(url) == name)
    return next(found, None)
