"""What members may do with their own keys, within what an operator allows; and leads with those of
their team's members.

- Rotate and revoke: always, their own keys only. - Make: while fewer of their keys are in force
than MEMBER_MAX_KEYS, or than the owner's own maximum. - Limits: a new key has at most the limits of
MEMBER_KEY_LIMITS; the limits of an existing key can only be lowered, whoever set them, and be
joined by further ones. Limits over all keys of an owner apply in addition.

A lead may do with the keys of the team's members what each of them may, and asks for no more than
the team itself has. Who is in the team is looked up each time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from keys.addresses import network
from keys.held_limits import SIMPLE, Subject
from keys.member.limit_lines import limits_of
from keys.models import (
    ENDPOINTS,
    LIMITS,
    Key,
    Limit,
    Membership,
    OwnerLimits,
    Revision,
    Team,
)
from keys.written_limits import UNITS, LimitKind

_WILDCARDS: Final = "*?["


class MayNotMakeKeys(Exception):
    """The member has as many keys in force as allowed, or may make none."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest limits that a key may have. A missing or empty one means no limit."""

    amounts: dict[str, int] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None
    # Beside the fields, of the key and of each user behind it.
    more: dict[Subject, int] = field(default_factory=dict)


def own_keys(owner: Any) -> QuerySet[Key]:
    keys = Key.objects.filter(owner=owner, is_static=False).prefetch_related("secrets")
    return keys.select_related("owner").order_by("-id")


def led_team(user: Any) -> Team | None:
    """The team that the user leads."""
    lead = Membership.objects.filter(user=user, is_lead=True).select_related("team").first()
    return None if lead is None else lead.team


def keys_of_led_team(user: Any) -> QuerySet[Key]:
    """The keys of the members of the team that the user leads, the user's own among them."""
    team = led_team(user)
    if team is None:
        return Key.objects.none()
    keys = Key.objects.filter(owner__team_membership__team=team, is_static=False)
    return keys.prefetch_related("secrets").select_related("owner").order_by("-id")


def members_of_led_team(user: Any) -> QuerySet[Membership]:
    team = led_team(user)
    members = Membership.objects.none() if team is None else Membership.objects.filter(team=team)
    return members.select_related("user", "team").order_by("user__username")


def team_amounts(team: Team) -> dict[str, int]:
    """The team's limits on all models, by the column of a key that says the same."""
    rows = Limit.objects.filter(holder_kind="team", holder_id=team.pk, model_patterns=[])
    amounts = {(row.what, row.window): row.amount for row in rows}
    return {column: amounts[means] for column, means in SIMPLE.items() if means in amounts}


def why_out_of_force(key: Key) -> str | None:
    """The message for a key that cannot be changed any more; None for a key in force."""
    state = key.state()
    if state == "revoked":
        return f"{key.name} is revoked, which cannot be undone. Make another key."
    if state == "expired":
        return (
            f"{key.name} expired on {key.expires_at:%Y-%m-%d at %H:%M} UTC. Make another key, or "
            "ask an operator to let it expire later."
        )
    return None if state == "active" else f"{key.name} cannot be used ({state}). Ask an operator."


def most_keys(owner: Any) -> int:
    return most_keys_of([owner.pk])[owner.pk]


def most_keys_of(owner_ids: Iterable[int]) -> dict[int, int]:
    """How many keys in force each of the accounts may have and still make another."""
    found = dict.fromkeys(owner_ids, settings.MEMBER_MAX_KEYS)
    own = OwnerLimits.objects.filter(owner_id__in=list(found)).values_list("owner_id", "max_keys")
    return found | {owner_id: most for owner_id, most in own if most is not None}


def may_make_another(owner: Any) -> bool:
    in_force = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    keys = Key.objects.filter(in_force, owner=owner, is_static=False, revoked_at=None)
    return keys.count() < most_keys(owner)


def make_key(owner: Any, **fields: Any) -> tuple[Key, str]:
    """Makes a key and returns it with its text. Raises `MayNotMakeKeys`."""
    with transaction.atomic():
        # The lock serialises making keys, so that two at once cannot exceed the maximum.
        Revision.take_next()
        if not may_make_another(owner):
            raise MayNotMakeKeys
        return Key.issue(owner=owner, **fields)


def ceiling_of_new_keys(now: datetime | None = None) -> Ceiling:
    """From MEMBER_KEY_LIMITS. Raises ValueError for an unknown endpoint or an invalid network."""
    values = dict(limit.split("=", 1) for limit in settings.MEMBER_KEY_LIMITS)
    endpoints = _listed(values, "endpoints")
    for name in endpoints:
        if name not in ENDPOINTS:
            raise ValueError(f"there is no endpoint {name!r}")
    days = values.get("days")
    return Ceiling(
        amounts={
            column: UNITS[what].parse(values[name])
            for column, (what, window) in SIMPLE.items()
            if (name := LimitKind(what, window).name) in values
        },
        models=_listed(values, "models"),
        endpoints=endpoints,
        networks=tuple(str(network(text)) for text in _listed(values, "networks")),
        expires_at=None if days is None else _in_days(int(days), now or timezone.now()),
    )


def _listed(values: dict[str, str], name: str) -> tuple[str, ...]:
    return tuple(values[name].split(";")) if name in values else ()


def ceiling_of(key: Key) -> Ceiling:
    """The key's own limits: a member may lower them and cannot raise them again."""
    return Ceiling(
        amounts={name: value for name in LIMITS if (value := getattr(key, name)) is not None},
        models=tuple(key.allowed_models),
        endpoints=tuple(key.allowed_endpoints),
        networks=tuple(key.allowed_networks),
        expires_at=key.expires_at,
        more=limits_of(Limit.objects.filter(holder_kind__in=("key", "user"), holder_id=key.pk)),
    )


def is_name(pattern: str) -> bool:
    """Whether the pattern is a name, without wildcards."""
    return not any(wildcard in pattern for wildcard in _WILDCARDS)


def is_within_patterns(pattern: str, allowed: Iterable[str]) -> bool:
    """Whether every name that `pattern` matches is certainly matched by one of `allowed`."""
    begin = pattern
    for wildcard in _WILDCARDS:
        begin = begin.partition(wildcard)[0]
    return any(pattern == one or _covers(one, begin, begin == pattern) for one in allowed)


def _covers(allowed: str, begin: str, is_whole: bool) -> bool:
    """A pattern of the form `beginning*` covers all that begins so. Any other pattern covers names
    without wildcards, and itself, which `is_within_patterns` has checked."""
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
