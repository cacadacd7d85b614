"""The forms that made something, so that none makes it twice."""

from django.db import models
from django.utils import timezone


class SentForm(models.Model):
    """One sending of one form: `digest` is of all that was in it. `made_id` is what it made."""

    digest = models.CharField(max_length=64, primary_key=True)
    made_id = models.BigIntegerField(default=0)
    sent_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"form sent {self.sent_at}"
