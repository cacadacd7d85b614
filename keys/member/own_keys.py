"""A member's keys, and the limits over all of them, as the pages show them."""

from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone

from keys import shown
from keys.models import Key
from keys.reports.budget_bars import bars
from keys.reports.usage import owner_usage, usage_by_key
from keys.scopes import Limits
from theme.bars import Bar

_REFUSED_WORDS: Final = {
    "refused_requests": "requests per minute",
    "refused_tokens": "tokens per minute",
    "refused_concurrency": "requests at once",
    "refused_usd": "a budget",
    "refused_neurons": "neurons per day",
}


def rules_of(key: Key) -> list[str]:
    """The limits and restrictions that are not shown as bars, as texts."""
    return [
        *shown.rate_texts(key.limits),
        *(f"{label}: {', '.join(values)}" for label, values in (
            ("models", key.allowed_models),
            ("endpoints", key.allowed_endpoints),
            ("networks", key.allowed_networks),
        ) if values),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShownKey:
    key: Key
    state: str
    bars: list[Bar]
    rules: list[str]
    requests_today: int
    # How many requests were refused today, by limit.
    refused: list[tuple[str, int]]

    @property
    def in_force(self) -> bool:
        return self.state == "active"


def shown_keys(keys: list[Key]) -> list[ShownKey]:
    usage = usage_by_key([key.pk for key in keys])
    now = timezone.now()
    return [
        ShownKey(
            key=key,
            state=key.state(now),
            bars=bars(key.limits, usage[key.pk]),
            rules=rules_of(key),
            requests_today=usage[key.pk].day.requests,
            refused=[
                (_REFUSED_WORDS[name], count)
                for name, count in usage[key.pk].refused_today.items()
                if count
            ],
        )
        for key in keys
    ]


@dataclass(frozen=True, slots=True)
class ShownOwner:
    """The limits over all keys of a member. Empty where an operator set none."""

    bars: list[Bar]
    rates: list[str]
    requests_today: int
    is_limited: bool


def shown_owner(owner: Any) -> ShownOwner:
    limited = getattr(owner, "key_limits", None)
    limits = Limits() if limited is None else limited.limits
    usage = owner_usage(owner.pk)
    return ShownOwner(
        bars=bars(limits, usage),
        rates=shown.rate_texts(limits),
        requests_today=usage.day.requests,
        is_limited=limits.have_budgets or limits.have_rates,
    )
