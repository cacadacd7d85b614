"""The columns and constraints of limits, which keys and owners share."""

from typing import Any, Final

from django.db import models
from django.db.models import Q

from keys.scopes import Limits

LIMITS: Final = (
    "requests_per_minute",
    "tokens_per_minute",
    "concurrency",
    "daily_budget_nano_usd",
    "monthly_budget_nano_usd",
    "total_budget_nano_usd",
    "daily_neurons_micro",
)


def _positive_limit(label: str, help_text: str = "") -> Any:
    return models.BigIntegerField(label, null=True, blank=True, help_text=help_text)


def limits_above_0(prefix: str) -> list[models.BaseConstraint]:
    return [
        models.CheckConstraint(
            condition=Q(**{f"{limit}__isnull": True}) | Q(**{f"{limit}__gt": 0}),
            name=f"{prefix}_{limit}_above_0",
            violation_error_message="A limit is above 0; empty means no limit.",
        )
        for limit in LIMITS
    ]


class Limited(models.Model):
    """Columns for `keys.scopes.Limits`. Daily and monthly budgets are of calendar days, UTC."""

    requests_per_minute = _positive_limit("requests per minute")
    tokens_per_minute = _positive_limit("tokens per minute")
    concurrency = _positive_limit("requests at once")
    daily_budget_nano_usd = _positive_limit("budget per day")
    monthly_budget_nano_usd = _positive_limit("budget per month")
    total_budget_nano_usd = _positive_limit("budget in all")
    daily_neurons_micro = _positive_limit("neurons per day")

    class Meta:
        abstract = True

    @property
    def limits(self) -> Limits:
        return Limits(**{name: getattr(self, name) for name in LIMITS})
