"""The revision: a counter of changes to keys, by which workers find what has changed.

Every change of a key takes the next revision number in its own transaction. The counter is one row,
and its lock serialises all changes, so the order of the numbers is the order of the commits: who
has read revision 7 has missed no change up to 7. `keys/access/key_index.py` relies on that.
"""

from typing import ClassVar

from django.db import models, transaction
from django.db.models import F, Q


class Revision(models.Model):
    """One row: how many changes have been made to keys."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="keys_revision_is_one_row")
        ]

    def __str__(self) -> str:
        return f"revision {self.number}"

    @classmethod
    def current(cls) -> int:
        return cls.objects.filter(pk=1).values_list("number", flat=True).first() or 0

    @classmethod
    def take_next(cls) -> int:
        """Call it first in the transaction of a change: it takes a lock until the commit."""
        with transaction.atomic():
            if not cls.objects.filter(pk=1).update(number=F("number") + 1):
                cls.objects.get_or_create(pk=1)
                cls.objects.filter(pk=1).update(number=F("number") + 1)
            return cls.current()
