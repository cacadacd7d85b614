"""`manage.py send_test_alert`: one alert through every channel that is set; says what each
answered."""

import asyncio
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.utils import Error
from django.utils import timezone

from alerts import links
from alerts.channels import configured, named
from alerts.channels.outcome import Outcome
from alerts.findings import INFO, Holder
from alerts.messages import Message
from alerts.store import keep_told
from storage.failure import in_one_line


class Command(BaseCommand):
    help = "Sends one alert through every channel that is set, and says what each answered."
    # Other checks would import all pages.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        channels = list(named.channels())
        if not channels:
            raise CommandError(
                "No channel is set: set ALERT_WEBHOOKS, or ALERT_EMAILS with EMAIL_URL."
            )
        message = Message(
            id=uuid.uuid4(),
            event="test",
            severity=INFO,
            text="This is a test: alerts of this gateway arrive here.",
            holder=Holder("gateway", "this gateway"),
            opened_at=timezone.now(),
            url=links.of_dashboard(),
        )
        outcomes = asyncio.run(_sent([channel.name for channel in channels], message))
        for channel, outcome in zip(channels, outcomes, strict=True):
            state = "arrived" if outcome.arrived else "FAILED"
            self.stdout.write(f"{channel.label}: {state}: {outcome.words}")
        try:
            keep_told(message, dict(zip(channels, outcomes, strict=True)))
        except Error as error:
            self.stderr.write(f"It is not in the list of alerts. {in_one_line(error)}")
        failed = sum(not outcome.arrived for outcome in outcomes)
        if failed:
            raise CommandError(f"{failed} of {len(channels)} failed.")


async def _sent(names: list[str], message: Message) -> list[Outcome]:
    return await asyncio.gather(*(configured.send(name, message) for name in names))
