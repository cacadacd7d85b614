"""Raises of limits that members ask for, and what became of them."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from keys.held_limits import HOLDER_KINDS, WHATS, Subject
from keys.models.limit import Raise

OPEN, GRANTED, REFUSED, WITHDRAWN = "open", "granted", "refused", "withdrawn"


def alert_series(asked_id: int) -> str:
    """The series of the alert that somebody asks, which is open until it is answered."""
    return f"raise_asked:{asked_id}"


class RaiseRequest(models.Model):
    """Somebody asks for `plus` more of a limit until a moment."""

    holder_kind = models.CharField(max_length=16, choices=[(each, each) for each in HOLDER_KINDS])
    holder_id = models.BigIntegerField(default=0)
    what = models.CharField(max_length=16, choices=[(each, each) for each in WHATS])
    window = models.CharField(max_length=8, blank=True, default="")
    model_patterns = models.JSONField(default=list, blank=True)
    plus = models.BigIntegerField()
    until = models.DateTimeField()
    why = models.CharField(max_length=500)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="raise_requests",
    )
    asked_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(
        max_length=10,
        default=OPEN,
        choices=[(state, state) for state in (OPEN, GRANTED, REFUSED, WITHDRAWN)],
    )
    decided_by_name = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    made = models.ForeignKey(Raise, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = "raise asked for"
        verbose_name_plural = "raises asked for"
        ordering: ClassVar = ["-asked_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(plus__gt=0), name="keys_raiserequest_plus_above_0")
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "-asked_at"], name="keys_raiserequest_state"),
        ]

    def __str__(self) -> str:
        return f"raise asked for by {self.asked_by}"

    @property
    def subject(self) -> Subject:
        what: Any = self.what
        window: Any = self.window
        kind: Any = self.holder_kind
        return Subject(kind, self.holder_id, what, window, tuple(self.model_patterns))
