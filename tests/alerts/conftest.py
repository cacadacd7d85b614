from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from tests.alerts.receivers import Mailbox, Receiver, http_receiver, mail_receiver


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """The one webhook that is set."""
    with http_receiver() as receiver:
        settings.ALERT_WEBHOOKS = [receiver.url]
        settings.ALERT_WEBHOOK_NETWORKS = [ip_network("127.0.0.1/32")]
        yield receiver


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """Behind the mail server that is set; nobody is named whom alerts are mailed to."""
    with mail_receiver() as mailbox:
        # pytest-django has put its own in the place of the real one.
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mailbox.port
        settings.EMAIL_URL = "smtp://mail"
        settings.DEFAULT_FROM_EMAIL = "gateway@example.com"
        yield mailbox
