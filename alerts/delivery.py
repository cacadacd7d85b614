"""Sends what waits. Any number of workers may look at the same time.

A delivery is claimed before it is sent: one conditional update counts the attempt and moves the
next try to where the lease ends. Only who changed the row sends, so two workers never send the
same one; a worker that dies leaves a lease that ends. So each delivery is sent until the receiver
has answered that it has it, and then never again. No sender can know what became of a message whose
receiver, or whose own process, died between taking it and saying so: such a one is sent again, with
the same id in the body (a webhook) or in the Message-ID (a mail), by which it can be told.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from alerts import links
from alerts.channels import configured
from alerts.channels.outcome import Outcome
from alerts.findings import Holder
from alerts.messages import Message
from alerts.models import Alert, Delivery
from alerts.store import LONGEST_ANSWER

logger = logging.getLogger(__name__)

# Far longer than a try may take, so that clocks of hosts may differ by half of it.
LEASE: Final = timedelta(seconds=90)
FIRST_WAIT_S: Final = 15.0
LONGEST_WAIT_S: Final = 3600.0
GIVEN_UP_AFTER: Final = timedelta(hours=24)
# Of one look: what is beyond it waits for the next one.
MOST_ROUNDS: Final = 20
DUE_READ: Final = 200


class Deliverer:
    """One a worker. A channel that failed rests there for a while, whatever else waits for it."""

    def __init__(self, clock: Callable[[], datetime] = timezone.now) -> None:
        self._clock = clock
        self._resting: dict[str, datetime] = {}

    def look(self) -> int:
        """Sends what is due, to each channel one after the other and to all of them side by side.
        How many were tried. Raises the database's errors."""
        tried = 0
        for _ in range(MOST_ROUNDS):
            claimed = self._claimed()
            if not claimed:
                break
            tried += len(claimed)
            outcomes = asyncio.run(_sent(claimed))
            for delivery, outcome in zip(claimed, outcomes, strict=True):
                self._note(delivery, outcome)
        return tried

    def _claimed(self) -> list[Delivery]:
        """At most one for each channel, the oldest first."""
        now = self._clock()
        self._resting = {name: until for name, until in self._resting.items() if until > now}
        due = Delivery.objects.filter(next_try_at__lte=now).exclude(channel__in=self._resting)
        claimed: dict[str, Delivery] = {}
        for delivery in due.select_related("alert").order_by("next_try_at", "id")[:DUE_READ]:
            if delivery.channel in claimed:
                continue
            if not configured.is_set(delivery.channel):
                self._leave(delivery, now)
            elif _claim(delivery, now):
                claimed[delivery.channel] = delivery
        return list(claimed.values())

    def _leave(self, delivery: Delivery, now: datetime) -> None:
        """Another worker, or the release before, may still know the channel."""
        if now - delivery.alert.opened_at > GIVEN_UP_AFTER:
            _end(delivery, answer="the settings do not have this channel any more")
        else:
            later = now + timedelta(seconds=LONGEST_WAIT_S)
            Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts).update(
                next_try_at=later
            )

    def _note(self, delivery: Delivery, outcome: Outcome) -> None:
        now = self._clock()
        if outcome.arrived:
            _end(delivery, sent_at=now, answer=outcome.words)
            return
        wait = timedelta(seconds=_wait_s(delivery.attempts, outcome.retry_after_s))
        self._resting[delivery.channel] = now + wait
        if now + wait - delivery.alert.opened_at > GIVEN_UP_AFTER:
            logger.error("Alert given up, %s: %s", delivery.label, outcome.words)
            _end(delivery, answer=outcome.words)
            return
        if delivery.attempts == 1:
            logger.warning(
                "Alert not delivered yet, %s: %s; tried again in %.0f s",
                delivery.label,
                outcome.words,
                wait.total_seconds(),
            )
        _mine(delivery).update(next_try_at=now + wait, answer=outcome.words[:LONGEST_ANSWER])


def _claim(delivery: Delivery, now: datetime) -> bool:
    changed = Delivery.objects.filter(
        pk=delivery.pk, attempts=delivery.attempts, next_try_at=delivery.next_try_at
    ).update(attempts=delivery.attempts + 1, next_try_at=now + LEASE)
    delivery.attempts += 1
    return changed == 1


def _mine(delivery: Delivery) -> QuerySet[Delivery]:
    """Nothing, once a lease ended and somebody else has claimed it."""
    return Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts)


def _end(delivery: Delivery, *, answer: str, sent_at: datetime | None = None) -> None:
    _mine(delivery).update(next_try_at=None, sent_at=sent_at, answer=answer[:LONGEST_ANSWER])


def _wait_s(attempts: int, asked_s: float | None) -> float:
    """Twice the one before, and a little by chance, so that workers spread."""
    wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(attempts - 1, 16))
    wait *= random.uniform(0.8, 1.2)
    return max(wait, asked_s or 0.0)


async def _sent(deliveries: list[Delivery]) -> list[Outcome]:
    tries = (configured.send(each.channel, _message(each)) for each in deliveries)
    return await asyncio.gather(*tries)


def _message(delivery: Delivery) -> Message:
    alert = delivery.alert
    is_owners = delivery.is_to_owner and alert.owner_path
    return Message(
        id=alert.uuid,
        event=alert.event,
        severity=alert.severity,
        text=alert.text,
        holder=holder_of(alert),
        opened_at=alert.opened_at,
        url=links.absolute(alert.owner_path) if is_owners else links.of_alert(alert.pk),
        figures=alert.figures,
    )


def holder_of(alert: Alert) -> Holder:
    return Holder(alert.holder_kind, alert.holder_name, alert.holder_id)
