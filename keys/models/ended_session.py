"""The sessions whose playground tokens are refused since they ended."""

from django.db import models
from django.utils import timezone


class EndedSession(models.Model):
    """A session that ended, in whatever way, for as long as its playground tokens would live."""

    mark = models.CharField(max_length=22, primary_key=True)
    ended_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"session ended {self.ended_at}"
