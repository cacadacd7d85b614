"""What a member may do with keys of their own: within what an operator allows, never beyond it.

- Rotating and revoking: always, of own keys only.
- Making: while fewer keys are in force than MEMBER_MAX_KEYS, or than the owner's own number.
- Limits: a new key has those of MEMBER_KEY_LIMITS or lower ones; a key that exists can only be
  limited further, whoever set what it has. Limits over all keys of an owner hold beside that.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from keys.addresses import network
from keys.amounts import nano_usd_from_text, neurons_micro_from_text
from keys.models import ENDPOINTS, LIMITS, Key, OwnerLimits, Revision

_WILDCARDS: Final = "*?["
_AMOUNTS: Final[dict[str, tuple[str, Callable[[str], int]]]] = {
    "rpm": ("requests_per_minute", int),
    "tpm": ("tokens_per_minute", int),
    "concurrency": ("concurrency", int),
    "daily-usd": ("daily_budget_nano_usd", nano_usd_from_text),
    "monthly-usd": ("monthly_budget_nano_usd", nano_usd_from_text),
    "total-usd": ("total_budget_nano_usd", nano_usd_from_text),
    "daily-neurons": ("daily_neurons_micro", neurons_micro_from_text),
}


class MayNotMakeKeys(Exception):
    """The member has as many keys in force as an operator allows, or may make none."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest limits that a key may get. What is missing or empty is not limited."""

    amounts: dict[str, int] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None


def own_keys(owner: Any) -> QuerySet[Key]:
    keys = Key.objects.filter(owner=owner, is_static=False).prefetch_related("secrets")
    return keys.select_related("owner").order_by("-id")


def why_out_of_force(key: Key) -> str | None:
    """What a member is told of a key that is changed no more; None for one in force."""
    state = key.state()
    if state == "revoked":
        return f"{key.name} is revoked, for good: make another key."
    if state == "expired":
        return (
            f"{key.name} expired on {key.expires_at:%Y-%m-%d at %H:%M} UTC: make another key, or "
            "ask an operator to give it a later last day."
        )
    return None if state == "active" else f"{key.name} is not in force ({state})."


def most_keys(owner: Any) -> int:
    own = OwnerLimits.objects.filter(owner=owner).values_list("max_keys", flat=True).first()
    return settings.MEMBER_MAX_KEYS if own is None else own


def may_make_another(owner: Any) -> bool:
    in_force = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    keys = Key.objects.filter(in_force, owner=owner, is_static=False, revoked_at=None)
    return keys.count() < most_keys(owner)


def make_key(owner: Any, **fields: Any) -> tuple[Key, str]:
    """A new key and its text. Raises `MayNotMakeKeys`."""
    with transaction.atomic():
        # Its lock lets one key be made at a time, so that two at once cannot both be the last.
        Revision.take_next()
        if not may_make_another(owner):
            raise MayNotMakeKeys
        return Key.issue(owner=owner, **fields)


def ceiling_of_new_keys(now: datetime | None = None) -> Ceiling:
    """From MEMBER_KEY_LIMITS. Raises ValueError for an endpoint or a network that is none."""
    values = dict(limit.split("=", 1) for limit in settings.MEMBER_KEY_LIMITS)
    endpoints = _listed(values, "endpoints")
    for name in endpoints:
        if name not in ENDPOINTS:
            raise ValueError(f"there is no endpoint {name!r}")
    days = values.get("days")
    return Ceiling(
        amounts={
            column: parse(values[name])
            for name, (column, parse) in _AMOUNTS.items()
            if name in values
        },
        models=_listed(values, "models"),
        endpoints=endpoints,
        networks=tuple(str(network(text)) for text in _listed(values, "networks")),
        expires_at=None if days is None else _in_days(int(days), now or timezone.now()),
    )


def _listed(values: dict[str, str], name: str) -> tuple[str, ...]:
    return tuple(values[name].split(";")) if name in values else ()


def ceiling_of(key: Key) -> Ceiling:
    """What the key has: a member may limit it further, and not give it back."""
    return Ceiling(
        amounts={name: value for name in LIMITS if (value := getattr(key, name)) is not None},
        models=tuple(key.allowed_models),
        endpoints=tuple(key.allowed_endpoints),
        networks=tuple(key.allowed_networks),
        expires_at=key.expires_at,
    )


def is_name(pattern: str) -> bool:
    """Whether it matches one name only."""
    return not any(wildcard in pattern for wildcard in _WILDCARDS)


def is_within_patterns(pattern: str, allowed: Iterable[str]) -> bool:
    """Whether every model that `pattern` matches is surely matched by one of `allowed`."""
    begin = pattern
    for wildcard in _WILDCARDS:
        begin = begin.partition(wildcard)[0]
    return any(pattern == one or _covers(one, begin, begin == pattern) for one in allowed)


def _covers(allowed: str, begin: str, is_whole: bool) -> bool:
    """Patterns that are more than a beginning and a star cover themselves only, which
    `is_within_patterns` has seen, and names without wildcards."""
    stem = allowed[:-1]
    if allowed.endswith("*") and is_name(stem):
        return begin.startswith(stem)
    return is_whole and fnmatchcase(begin, allowed)


def is_within_networks(text: str, allowed: Iterable[str]) -> bool:
    inner = network(text)
    for one in allowed:
        outer = network(one)
        if inner.version == outer.version and inner.subnet_of(outer):  # type: ignore[arg-type]
            return True
    return False


def _in_days(days: int, now: datetime) -> datetime:
    try:
        return now + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(tzinfo=now.tzinfo)
