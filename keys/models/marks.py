"""How far two kinds of work on the log have come: pruning it, and writing it."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q


class PruneMark(models.Model):
    """One row: log rows from before this moment may have been deleted, so totals stand alone."""

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
        """Before the first row is deleted. It never goes back."""
        cls.objects.get_or_create(pk=1, defaults={"pruned_before": moment})
        cls.objects.filter(pk=1, pruned_before__lt=moment).update(pruned_before=moment)


class LedgerMark(models.Model):
    """The last group of rows that each ledger writer has committed.

    It moves in the transaction of the group, so a writer that lost its connection at the commit
    can read whether the group is in. One row for each writer that ever ran, pruned by age.
    """

    writer = models.UUIDField(primary_key=True)
    group_number = models.BigIntegerField()
    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.writer} wrote group {self.group_number}"
