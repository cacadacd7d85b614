"""What running requests have reserved of budgets."""

from typing import ClassVar

from django.db import models


class Reservation(models.Model):
    """The most that a running request may cost, until its row has the actual cost.

    Counts against budgets until its lease expires; a live worker extends the leases of its own
    requests. There are only as many rows as running requests, so few indexes are needed.
    """

    id = models.UUIDField(primary_key=True)
    writer = models.UUIDField()
    key_id = models.BigIntegerField()
    owner_id = models.BigIntegerField(null=True)
    day = models.DateField()
    cost_nano_usd = models.BigIntegerField()
    neurons_micro = models.BigIntegerField()
    requests = models.BigIntegerField(db_default=1)
    tokens = models.BigIntegerField(db_default=0)
    # Null in one that a worker of release 0.2.0 made: it counts as one of any model.
    model = models.CharField(max_length=200, null=True)
    team_id = models.BigIntegerField(null=True)
    user = models.CharField(max_length=200, db_default="")
    expires_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["key_id", "day"], name="keys_reservation_key"),
            models.Index(fields=["owner_id", "day"], name="keys_reservation_owner"),
        ]

    def __str__(self) -> str:
        return f"reservation {self.id}"
