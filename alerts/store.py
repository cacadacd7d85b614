"""Keeps what was found: once, whatever the number of workers and hosts that find it.

Uniqueness is the database's: the first to insert a series and level also makes its deliveries, in
the same transaction.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeVar

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from alerts.channels.named import Channel, channels, mail_channel
from alerts.channels.outcome import Outcome
from alerts.findings import INFO, Finding
from alerts.messages import Message, plain
from alerts.models import Alert, Delivery

LONGEST_SERIES: Final = 200
LONGEST_NAME: Final = 255
LONGEST_ANSWER: Final = 300
# What is over is kept so long.
KEPT: Final = timedelta(days=90)
# Of what one statement names.
AT_ONCE: Final = 500

T = TypeVar("T")


def tell(finding: Finding, now: datetime | None = None) -> Alert | None:
    """Keeps the finding and makes its deliveries; None where it, or a higher level of its series,
    was told before; a state that was over is open again then. May be called in a transaction, with
    which it holds or not."""
    now = now or timezone.now()
    series = _series(finding.series)
    highest = Alert.objects.filter(series=series).aggregate(highest=Max("level"))["highest"]
    if highest is not None and highest >= finding.level:
        if finding.is_state:
            again = Alert.objects.filter(series=series, level=finding.level, is_state=True)
            again.exclude(resolved_at=None).update(resolved_at=None)
        return None
    with transaction.atomic():
        alert, is_new = Alert.objects.get_or_create(
            series=series,
            level=finding.level,
            defaults={
                "event": finding.event,
                "severity": finding.severity,
                "text": plain(finding.text),
                "holder_kind": finding.holder.kind,
                "holder_id": finding.holder.id,
                "holder_name": finding.holder.name[:LONGEST_NAME],
                "figures": dict(finding.figures),
                "admin_path": finding.admin_path,
                "owner_path": finding.owner_path,
                "is_state": finding.is_state,
                "opened_at": now,
                # Nobody need do anything about it.
                "resolved_at": None if finding.is_state or finding.severity != INFO else now,
            },
        )
        if not is_new:
            return None
        Delivery.objects.bulk_create(
            Delivery(
                alert=alert,
                channel=channel.name,
                label=channel.label,
                is_to_owner=is_to_owner,
                next_try_at=now,
            )
            for channel, is_to_owner in _channels_for(finding)
        )
    return alert


def _channels_for(finding: Finding) -> Iterator[tuple[Channel, bool]]:
    operators = list(channels())
    yield from ((channel, False) for channel in operators)
    known = {channel.name for channel in operators}
    for address in dict.fromkeys(finding.mail_to):
        channel = mail_channel(address)
        if channel.name not in known:
            yield channel, True


def keep_told(
    message: Message,
    outcomes: Mapping[Channel, Outcome],
    *,
    attempts: int = 1,
    is_tried_again: bool = False,
    is_state: bool = False,
    now: datetime | None = None,
) -> None:
    """Puts into the list what was sent from memory and is over; calling it again does nothing.
    Channels that it did not reach get it from there when `is_tried_again`."""
    now = now or timezone.now()
    with transaction.atomic():
        alert, is_new = Alert.objects.get_or_create(
            uuid=message.id,
            defaults={
                "event": message.event,
                "severity": message.severity,
                "series": f"{message.event}:{message.id}",
                "text": plain(message.text),
                "holder_kind": message.holder.kind,
                "holder_name": message.holder.name,
                "figures": dict(message.figures),
                "is_state": is_state,
                "opened_at": message.opened_at,
                "resolved_at": now,
            },
        )
        if not is_new:
            return
        Delivery.objects.bulk_create(
            Delivery(
                alert=alert,
                channel=channel.name,
                label=channel.label,
                attempts=attempts,
                next_try_at=now if is_tried_again and not outcome.arrived else None,
                sent_at=now if outcome.arrived else None,
                answer=outcome.words[:LONGEST_ANSWER],
            )
            for channel, outcome in outcomes.items()
        )


def record(
    found: Iterable[Finding], events: Collection[str], now: datetime | None = None
) -> list[Alert]:
    """Takes all that the rules of `events` found: tells what is new, closes what is over, opens
    again what came back within its window. Returns the new alerts."""
    now = now or timezone.now()
    highest: dict[str, Finding] = {}
    for finding in found:
        series = _series(finding.series)
        if series not in highest or highest[series].level < finding.level:
            highest[series] = finding
    told: dict[str, int] = {}
    for part in batched(highest, AT_ONCE):
        rows = Alert.objects.filter(series__in=part).order_by().values("series")
        told |= {row["series"]: row["most"] for row in rows.annotate(most=Max("level"))}
    new = [
        alert
        for series, finding in highest.items()
        if told.get(series, -1) < finding.level and (alert := tell(finding, now)) is not None
    ]
    _close_and_open(highest, events, now)
    return new


def _close_and_open(highest: Mapping[str, Finding], events: Collection[str], now: datetime) -> None:
    """A level is over when a higher one is reached, or when nothing of its series is found any
    more: a limit that has refused stays told until its window ends."""
    lasting = Alert.objects.filter(event__in=events, is_state=True).order_by()
    unresolved = lasting.filter(resolved_at=None).values_list("pk", "series", "level")
    over = [
        pk
        for pk, series, level in unresolved
        if series not in highest or level < highest[series].level
    ]
    for pks in batched(over, AT_ONCE):
        Alert.objects.filter(pk__in=pks).update(resolved_at=now)
    for part in batched(highest, AT_ONCE):
        again = lasting.filter(series__in=part).exclude(resolved_at=None)
        back = [
            pk
            for pk, series, level in again.values_list("pk", "series", "level")
            if level == highest[series].level
        ]
        if back:
            Alert.objects.filter(pk__in=back).update(resolved_at=None)


def resolve(series: str, now: datetime | None = None) -> None:
    """For a state that no rule evaluates, such as a raise that waits for an answer."""
    waiting = Alert.objects.filter(series=_series(series), resolved_at=None)
    waiting.update(resolved_at=now or timezone.now())


def acknowledge(alerts: QuerySet[Alert], who: str, now: datetime | None = None) -> int:
    """How many were open until now."""
    open_ones = alerts.filter(acknowledged_at=None)
    return open_ones.update(acknowledged_at=now or timezone.now(), acknowledged_by=who)


def prune(now: datetime | None = None) -> int:
    """Deletes old alerts that are over, at most AT_ONCE."""
    before = (now or timezone.now()) - KEPT
    is_over = Q(resolved_at__isnull=False) | Q(is_state=False)
    old = Alert.objects.filter(is_over, opened_at__lt=before)
    pks = list(old.order_by("opened_at").values_list("pk", flat=True)[:AT_ONCE])
    if pks:
        Alert.objects.filter(pk__in=pks).delete()
    return len(pks)


def forget(holders: Mapping[str, Collection[int]], address: str, name: str, erased: str) -> None:
    """Takes a person out of the list: deletes alerts about the holders (ids by their kind) and
    mails to the address; who acknowledged as `name` did so as `erased`."""
    for kind, ids in holders.items():
        for part in batched(ids, AT_ONCE):
            Alert.objects.filter(holder_kind=kind, holder_id__in=part).delete()
    if address:
        Delivery.objects.filter(channel=mail_channel(address).name).delete()
    Alert.objects.filter(acknowledged_by=name).update(acknowledged_by=erased)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting = iter(items)
    while part := list(islice(waiting, size)):
        yield part


def _series(text: str) -> str:
    if len(text) <= LONGEST_SERIES:
        return text
    return f"{text[:100]}:{hashlib.sha256(text.encode()).hexdigest()}"
