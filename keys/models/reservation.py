"""The estimates that running requests have reserved of budgets."""

from typing import ClassVar

from django.db import models


class Reservation(models.Model):
    """What a running request may cost at most, until its row says what it did cost.

    Counts against budgets while its lease runs; the worker that lives extends it. No more indexes
    than requests need: there are as many rows as requests that run.
    """

    id = models.UUIDField(primary_key=True)
    writer = models.UUIDField()
    key_id = models.BigIntegerField()
    owner_id = models.BigIntegerField(null=True)
    day = models.DateField()
    cost_nano_usd = models.BigIntegerField()
    neurons_micro = models.BigIntegerField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["key_id", "day"], name="keys_reservation_key"),
            models.Index(fields=["owner_id", "day"], name="keys_reservation_owner"),
        ]

    def __str__(self) -> str:
        return f"reservation {self.id}"
