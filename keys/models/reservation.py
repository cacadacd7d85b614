"""What running requests have reserved of budgets."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def of_running_requests(self, now: datetime) -> Self:
        """Without shares that may be taken from: which part of one is idle, its worker knows."""
        is_no_share = models.Q(share_until=None) | models.Q(share_until__lte=now)
        return self.filter(is_no_share, expires_at__gt=now)


class Reservation(models.Model):
    """The most that a running request may cost, until its row has the actual cost; or that of
    several requests of a busy key, as its worker's share.

    Counts against budgets until its lease expires; a live worker extends the leases of its own
    requests. There are at most as many rows as running requests and busy keys, so few indexes are
    needed.
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
    # Of a share: until when more requests may take a part of it. Null in that of one request.
    share_until = models.DateTimeField(null=True)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["key_id", "day"], name="keys_reservation_key"),
            models.Index(fields=["owner_id", "day"], name="keys_reservation_owner"),
        ]

    def __str__(self) -> str:
        return f"reservation {self.id}"
