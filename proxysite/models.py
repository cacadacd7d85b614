"""The site's own table: how often somebody failed to sign in."""

from django.db import models


class FailedSignIns(models.Model):
    """How often signing in failed in one window, for one account, address, or both together.

    `whose` is a hash, since people sometimes type passwords into the field of the name. A try
    counts from its beginning, until it has turned out to be right.
    """

    whose = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField()
    window_ends_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.count} until {self.window_ends_at}"
