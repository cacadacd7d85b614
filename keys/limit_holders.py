"""Whose limits: a key, an owner, a team, everybody, or each user behind a key."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models

from keys.held_limits import Subject, What, WindowName
from keys.models import Everybody, Key, Limit, Limited, OwnerLimits, Team, normal_patterns
from keys.scopes import HolderKind
from keys.written_limits import BadLimit


@dataclass(frozen=True, slots=True)
class LimitHolder:
    """Who has limits. `record` is the row in whose history their changes are noted."""

    kind: HolderKind
    id: int
    # As the commands take it: 'key:7'.
    name: str
    # For people: 'key 7 (laptop)'.
    words: str
    record: models.Model

    @property
    def columns(self) -> Limited | None:
        """The row with columns for the usual limits, where there is one."""
        if self.kind == "user" or not isinstance(self.record, Limited):
            return None
        return self.record

    def ensure_there(self) -> None:
        """Raises `BadLimit` for a holder that was deleted since it was found."""
        if self.kind == "everybody":
            return
        table: Any = get_user_model() if self.kind == "owner" else type(self.record)
        if not table.objects.filter(pk=self.id).exists():
            raise BadLimit(f"{self.words} is deleted")

    @property
    def rows(self) -> models.QuerySet[Limit]:
        return Limit.objects.filter(holder_kind=self.kind, holder_id=self.id)

    def subject(self, what: What, window: WindowName, patterns: Any = ()) -> Subject:
        return Subject(self.kind, self.id, what, window, tuple(normal_patterns(patterns)))


def holder_of_key(key: Key) -> LimitHolder:
    return LimitHolder("key", key.pk, f"key:{key.pk}", f"key {key.pk} ({key.name})", key)


def holder_of_users(key: Key) -> LimitHolder:
    """Each user behind a key: the key is in place of the users, who are not known before."""
    return LimitHolder(
        *("user", key.pk, f"user:{key.pk}", f"each user of key {key.pk} ({key.name})", key)
    )


def holder_of_owner(owner: Any) -> LimitHolder:
    """Makes the row of the owner's limits when it is missing."""
    limits, _ = OwnerLimits.objects.get_or_create(owner=owner)
    return _owner(owner, limits)


def holder_of_owner_as_read(owner: Any) -> LimitHolder:
    """The same, which makes nothing."""
    limits = getattr(owner, "key_limits", None)
    return _owner(owner, OwnerLimits(owner=owner) if limits is None else limits)


def _owner(owner: Any, limits: OwnerLimits) -> LimitHolder:
    name = owner.get_username()
    return LimitHolder("owner", owner.pk, f"owner:{name}", f"all keys of {name}", limits)


def holder_of_team(team: Team) -> LimitHolder:
    return LimitHolder("team", team.pk, f"team:{team.name}", f"the team {team.name}", team)


def holder_of_everybody() -> LimitHolder:
    return _everybody(Everybody.row())


def _everybody(row: Everybody) -> LimitHolder:
    return LimitHolder("everybody", 0, "everybody", "everybody", row)


def holder_with(subject: Subject) -> LimitHolder | None:
    """The holder of a limit or a raise; None for one that is deleted. Reads only."""
    kind, holder_id = subject.holder_kind, subject.holder_id
    if kind == "everybody":
        return _everybody(Everybody())
    if kind == "team":
        team = Team.objects.filter(pk=holder_id).first()
        return None if team is None else holder_of_team(team)
    if kind == "owner":
        owner = get_user_model().objects.filter(pk=holder_id).first()
        if owner is None:
            return None
        limits = OwnerLimits.objects.filter(pk=holder_id).first()
        return _owner(owner, limits or OwnerLimits(owner=owner))
    key = Key.objects.select_related("owner").filter(pk=holder_id).first()
    if key is None:
        return None
    return holder_of_key(key) if kind == "key" else holder_of_users(key)
