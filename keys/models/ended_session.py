"""Sessions that have ended and whose playground tokens are therefore refused."""

from django.db import models
from django.utils import timezone


class EndedSession(models.Model):
    """A session that has ended, kept until its playground tokens have expired."""

    mark = models.CharField(max_length=22, primary_key=True)
    ended_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"session ended {self.ended_at}"
