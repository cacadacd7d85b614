"""Which models are in use: those that requests have run on lately."""

from datetime import UTC, datetime, timedelta
from typing import Final

from keys.models import DayTotal

LATELY: Final = timedelta(days=30)


def since(now: datetime) -> set[str]:
    first = now.astimezone(UTC).date() - LATELY
    used = DayTotal.objects.filter(day__gte=first, requests__gt=0).exclude(model="")
    return set(used.order_by().values_list("model", flat=True).distinct())
