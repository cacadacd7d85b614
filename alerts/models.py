"""Alerts, what became of them on each channel, and whose turn it is to look for new ones."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from alerts.findings import SEVERITIES


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> "AlertQuerySet":
        """Neither over nor acknowledged."""
        return self.filter(resolved_at=None, acknowledged_at=None)


class Alert(models.Model):
    """One event of one holder in one window, told once."""

    # In every body, so that a receiver can tell a repeated one.
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    event = models.CharField(max_length=40)
    severity = models.CharField(max_length=10, choices=SEVERITIES)
    series = models.CharField(max_length=200)
    level = models.PositiveIntegerField(default=0)
    text = models.TextField()
    holder_kind = models.CharField(max_length=20)
    holder_id = models.BigIntegerField(default=0)
    holder_name = models.CharField(max_length=255)
    figures = models.JSONField(default=dict)
    # Pages below the site's root: about the holder for operators, and for the owner.
    admin_path = models.CharField(max_length=300, blank=True)
    owner_path = models.CharField(max_length=300, blank=True)
    is_state = models.BooleanField()
    opened_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-opened_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["-opened_at", "-id"], name="alerts_newest"),
            models.Index(
                fields=["event"], condition=Q(resolved_at__isnull=True), name="alerts_unresolved"
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "level"], name="alerts_once")
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def state(self) -> str:
        if self.resolved_at is not None:
            return "over"
        return "open" if self.acknowledged_at is None else "acknowledged"


class Delivery(models.Model):
    """An alert on its way through one channel. `next_try_at` is null once it arrived or was given
    up; while a worker sends it, that worker's lease ends then."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    # "webhook:" and a fingerprint of its URL, which is a secret; "mail:" and the address.
    channel = models.CharField(max_length=300)
    label = models.CharField(max_length=300)
    is_to_owner = models.BooleanField(default=False)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        verbose_name_plural = "deliveries"
        indexes: ClassVar = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="alerts_delivery_due",
            )
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alert", "channel"], name="alerts_one_delivery")
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.state}"

    @property
    def state(self) -> str:
        if self.sent_at is not None:
            return "sent"
        return "waiting" if self.next_try_at is not None else "given up"


class Turn(models.Model):
    """When a piece of work of all workers is due next; who moves the moment on does it."""

    name = models.CharField(max_length=40, primary_key=True)
    next_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} at {self.next_at}"


class NoMail(models.Model):
    """An owner who wants no mail about their own keys."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )

    def __str__(self) -> str:
        return f"no mail to {self.owner}"
