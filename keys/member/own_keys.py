"""A member's keys, and the limits over all of them, as the pages show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone

from keys import shown
from keys.held_limits import HeldLimit
from keys.models import Key
from keys.reports.budget_bars import bars, rate_texts
from keys.reports.limit_use import LimitUse, read_use
from keys.reports.limits_in_force import limits_in_force, limits_of_one
from keys.reports.usage import owner_usage, usage_by_key
from keys.scopes import NO_LIMITS
from theme.bars import Bar

_REFUSED_WORDS: Final = {
    "refused_requests": "requests per minute",
    "refused_tokens": "tokens per minute",
    "refused_concurrency": "requests at once",
    "refused_usd": "a budget",
    "refused_neurons": "neurons per day",
}


def rules_of(key: Key, uses: list[LimitUse], of_users: Iterable[HeldLimit]) -> list[str]:
    """The limits and restrictions that are not shown as bars, as texts."""
    return [
        *rate_texts(uses),
        *(f"each user: {shown.limit_text(limit)}" for limit in of_users),
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
    uses = _uses_by_key(keys)
    of_users = limits_in_force("user", dict.fromkeys((key.pk for key in keys), NO_LIMITS))
    now = timezone.now()
    return [
        ShownKey(
            key=key,
            state=key.state(now),
            bars=bars(usage[key.pk], uses[key.pk]),
            rules=rules_of(key, uses[key.pk], of_users[key.pk]),
            requests_today=usage[key.pk].day.requests,
            refused=[
                (_REFUSED_WORDS[name], count)
                for name, count in usage[key.pk].refused_today.items()
                if count
            ],
        )
        for key in keys
    ]


def _uses_by_key(keys: list[Key]) -> dict[int, list[LimitUse]]:
    held = limits_in_force("key", {key.pk: key.limits for key in keys})
    uses: dict[int, list[LimitUse]] = {key.pk: [] for key in keys}
    for use in read_use([limit for each in held.values() for limit in each]):
        uses[use.limit.subject.holder_id].append(use)
    return uses


@dataclass(frozen=True, slots=True)
class ShownOwner:
    """The limits over all keys of a member. Empty where an operator set none."""

    bars: list[Bar]
    rates: list[str]
    requests_today: int


def shown_owner(owner: Any) -> ShownOwner:
    limited = getattr(owner, "key_limits", None)
    limits = NO_LIMITS if limited is None else limited.limits
    usage = owner_usage(owner.pk)
    uses = read_use(limits_of_one("owner", owner.pk, limits))
    return ShownOwner(
        bars=bars(usage, uses), rates=rate_texts(uses), requests_today=usage.day.requests
    )
