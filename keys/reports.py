"""Questions about use, answered from the database. They belong on a thread, not on the loop."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, Sum
from django.utils import timezone

from keys.models import RequestLog


@dataclass(frozen=True, slots=True)
class Usage:
    cost_nano_usd: int
    neurons_micro: int
    prompt_tokens: int
    completion_tokens: int
    images: int


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """By calendar day and month, UTC."""

    day: Usage
    month: Usage
    total: Usage


_SUMMED = ("cost_nano_usd", "neurons_micro", "prompt_tokens", "completion_tokens", "images")


def key_usage(key_id: int, now: datetime | None = None) -> KeyUsage:
    day = (now or timezone.now()).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    windows = {"day": Q(started_at__gte=day), "month": Q(started_at__gte=day.replace(day=1))}
    sums: dict[str, Any] = {f"total_{name}": Sum(name) for name in _SUMMED}
    for window, condition in windows.items():
        sums |= {f"{window}_{name}": Sum(name, filter=condition) for name in _SUMMED}
    found = RequestLog.objects.filter(key_id=key_id).aggregate(**sums)
    return KeyUsage(
        **{
            window: Usage(**{name: found[f"{window}_{name}"] or 0 for name in _SUMMED})
            for window in ("day", "month", "total")
        }
    )
