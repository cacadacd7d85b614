"""Sends through the channels that the settings name."""

from django.conf import settings

from alerts.channels import mail, webhook
from alerts.channels.named import MAIL, webhook_name
from alerts.channels.outcome import Outcome
from alerts.messages import Message


def is_set(name: str) -> bool:
    """Whether this process can send through the channel."""
    return bool(settings.EMAIL_URL) if name.startswith(MAIL) else _url_of(name) is not None


async def send(name: str, message: Message) -> Outcome:
    """Tries once. Raises nothing."""
    if name.startswith(MAIL) and settings.EMAIL_URL:
        return await mail.send(name.removeprefix(MAIL), message)
    url = _url_of(name)
    if url is None:
        return Outcome(False, "the settings do not have this channel any more")
    return await webhook.send(url, message)


def _url_of(name: str) -> str | None:
    found = (url for url in settings.ALERT_WEBHOOKS if webhook_name(url) == name)
    return next(found, None)
