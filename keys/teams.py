"""Teams as commands and interfaces change and show them: made, found by name, joined and left."""

from typing import Any

from django.db import transaction

from keys.key_history import changed_words, note_deleted
from keys.key_json import iso
from keys.limit_holders import holder_of_team
from keys.limits_json import limits_of
from keys.models import Membership, Revision, Team


class NoSuchTeam(LookupError):
    """No team has the name."""


class NotPossible(ValueError):
    """The text says why, and what to do instead."""


def make_team(name: str, notes: str = "", *, uses_reserve: bool = False) -> tuple[Team, bool]:
    """The team of this name, and whether it was made now. Raises ValidationError with the name of
    the field for a value that breaks a rule."""
    team = Team(name=name.strip(), notes=notes)
    team.full_clean(validate_unique=False)
    # Of two that begin at once one makes it.
    more = {"notes": notes, "uses_reserve": uses_reserve}
    return Team.objects.get_or_create(name=team.name, defaults=more)


def change_team(team: Team, values: dict[str, Any]) -> list[str]:
    """Sets name, notes or the use of the reserve; what changed, in words. Raises ValidationError
    with the name of the field."""
    wanted = {
        field: value.strip() if isinstance(value, str) else value for field, value in values.items()
    }
    before = {field: getattr(team, field) for field in wanted}
    changed = [field for field, value in wanted.items() if before[field] != value]
    for field in changed:
        setattr(team, field, wanted[field])
    team.full_clean(exclude=[each.name for each in team._meta.fields if each.name not in changed])
    if changed:
        team.save(update_fields=changed)
    return [changed_words(each, before[each], wanted[each]) for each in changed]


def delete_team(team: Team, by_id: int) -> None:
    """Its members and their keys stay, without the team."""
    with transaction.atomic():
        note_deleted(team, by_id)
        team.delete()


def team_named(name: str) -> Team:
    """Raises `NoSuchTeam`."""
    team = Team.objects.filter(name=name.strip()).first() if "\0" not in name else None
    if team is None:
        raise NoSuchTeam(f"there is no team {name!r}: list_teams shows them, issue_team makes one")
    return team


def join(team: Team, user: Any, *, as_lead: bool | None = None, by_sign_on: bool = False) -> str:
    """Makes the user a member of the team, as lead or not; None leaves a member what they are.
    Returns what has changed, in words for the history; empty where nothing has. Raises
    `NotPossible` where the user is in another team."""
    with transaction.atomic():
        # The lock: of two teams that take somebody at once the second finds the first's membership.
        Revision.take_next()
        membership = Membership.objects.select_related("team").filter(user=user).first()
        if membership is None:
            Membership.objects.create(
                team=team, user=user, is_lead=bool(as_lead), by_sign_on=by_sign_on
            )
            return f"Added {user}{' as lead' if as_lead else ''}."
        if membership.team_id != team.pk:
            raise NotPossible(
                f"{user} is in the team {membership.team}, and nobody is in two: take {user} out "
                "of that one first"
            )
        if as_lead is None or as_lead == membership.is_lead:
            return ""
        membership.is_lead = as_lead
        membership.save()
        return f"{user} is {'now' if as_lead else 'no longer'} lead."


def leave(team: Team, user: Any) -> str:
    """Takes the user out of the team, with their keys. Returns what has changed, as `join` does."""
    membership = Membership.objects.filter(team=team, user=user).first()
    if membership is None:
        return ""
    membership.delete()
    return f"Removed {user}."


def team_as_json(team: Team) -> dict[str, Any]:
    members = team.memberships.select_related("user").order_by("user__username")
    return {
        "id": team.pk,
        "name": team.name,
        "notes": team.notes,
        "uses_reserve": team.uses_reserve,
        "created_at": iso(team.created_at),
        "limits": limits_of(holder_of_team(team)),
        "members": [
            {
                "username": member.user.get_username(),
                "lead": member.is_lead,
                "active": member.user.is_active,
                "joined_at": iso(member.joined_at),
            }
            for member in members
        ],
    }
