"""Forms that have been handled, so that none is handled twice."""

from django.db import models
from django.utils import timezone


class SentForm(models.Model):
    """One form that was sent: the hash of its content, and the id of what it made."""

    digest = models.CharField(max_length=64, primary_key=True)
    made_id = models.BigIntegerField(default=0)
    sent_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"form sent {self.sent_at}"
