"""Two records of progress: up to when the log is pruned, and which groups are committed."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q


class PruneMark(models.Model):
    """One row: before this moment log rows may have been deleted, so totals cannot be checked."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    pruned_before = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="keys_prune_mark_is_one_row")
        ]

    def __str__(self) -> str:
        return f"pruned before {self.pruned_before}"

    @classmethod
    def current(cls) -> datetime | None:
        return cls.objects.filter(pk=1).values_list("pruned_before", flat=True).first()

    @classmethod
    def move_to(cls, moment: datetime) -> None:
        """Call it before the first row is deleted. The mark never moves to an earlier moment."""
        cls.objects.get_or_create(pk=1, defaults={"pruned_before": moment})
        cls.objects.filter(pk=1, pruned_before__lt=moment).update(pruned_before=moment)


class LedgerMark(models.Model):
    """The number of the last group of rows that each ledger writer has committed.

    It is updated in the transaction of the group, so a writer that lost its connection during the
    commit can read whether the group was committed. One row for each writer; old ones are deleted.
    """

    writer = models.UUIDField(primary_key=True)
    group_number = models.BigIntegerField()
    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.writer} wrote group {self.group_number}"
