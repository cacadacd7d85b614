"""The command tells what each channel answered, and whether all did."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from alerts.models import Alert
from tests.alerts.receivers import Mailbox, Receiver

pytestmark = pytest.mark.django_db


def test_each_channel_is_tried_and_told(
    receiver: Receiver, mailbox: Mailbox, settings: Any
) -> None:
    settings.ALERT_EMAILS = ["ops@example.com"]
    out = StringIO()
    call_command("send_test_alert", stdout=out)
    assert out.getvalue().splitlines() == [
        f"webhook 127.0.0.1:{receiver.port}: arrived: HTTP 200",
        "mail to ops@example.com: arrived: taken by the mail server",
    ]
    assert receiver.bodies[0]["event"] == "test" and len(mailbox.mails) == 1

    receiver.answer = lambda handler: handler.say(404, b"no_service")
    with pytest.raises(CommandError, match="1 of 2 failed"):
        call_command("send_test_alert", stdout=out)
    assert "FAILED: HTTP 404: no_service" in out.getvalue()
    assert "SECRET" not in out.getvalue()
    states = [each.state for alert in Alert.objects.all() for each in alert.deliveries.all()]
    assert sorted(states) == ["given up", "sent", "sent", "sent"], "a test is not tried again"


def test_without_a_channel_it_says_what_to_set(settings: Any) -> None:
    with pytest.raises(CommandError, match="set ALERT_WEBHOOKS, or ALERT_EMAILS with EMAIL_URL"):
        call_command("send_test_alert")
