"""What a key used over time, by day or by model, from totals. Call it on a thread."""

from datetime import date
from typing import Any, Final

from django.db.models import Sum

from keys.models import DayTotal

# How history can be told → the column of the totals.
BY: Final = {"day": "day", "model": "model", "endpoint": "endpoint"}
_SUMMED: Final = (
    *("requests", "errors", "prompt_tokens", "completion_tokens", "cached_tokens"),
    *("reasoning_tokens", "images", "audio_ms", "cost_nano_usd", "neurons_micro"),
)


def key_history(key_id: int, since: date, until: date, by: str) -> list[dict[str, Any]]:
    """One line for each day, model or endpoint on which there was anything, in their order: its
    name under `by`, and the sums by the names of their columns. Both days are included."""
    column = BY[by]
    totals = DayTotal.objects.filter(key_id=key_id, day__gte=since, day__lte=until)
    lines = totals.order_by(column).values(column)
    return list(lines.annotate(**{name: Sum(name) for name in _SUMMED}))
