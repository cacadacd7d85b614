"""What the groups of the sign-on provider give an account, and take away: the operator's role and
a team. Decided anew at each sign-on.

Only what a sign-on has given is taken away again: an operator or a member who was made by hand
stays so. A group that names another team moves a member there in any case.
"""

from typing import Any

from django.conf import settings
from django.db import transaction

from keys.key_history import note_change, note_made
from keys.member.claims import Groups
from keys.models import GivenRole, Membership, Revision
from keys.owners import revoke_keys_of
from keys.teams import join, leave, make_team


def apply_groups(user: Any, groups: Groups) -> None:
    operators = (name for name in settings.OIDC_OPERATOR_GROUPS if name in groups.names)
    teams = (team for name, team in _team_groups() if name in groups.names)
    operator_group, team_name = next(operators, None), next(teams, None)
    with transaction.atomic():
        # The lock: of two sign-ons at once the second finds what the first has given. As when an
        # operator changes a team, before any row is locked.
        Revision.take_next()
        user.refresh_from_db(fields=["is_staff", "is_superuser"])
        lost_role = _set_role(user, operator_group)
        lost_team = _set_team(user, team_name)
        has_left = (lost_role or lost_team) and operator_group is None and team_name is None
        # Revoking cannot be undone, so not on the strength of a claim that could not be read.
        if has_left and groups.are_known and settings.LEAVER_KEYS == "revoke":
            revoke_keys_of(user, "Revoked at a sign-on: its owner left the groups.", user.pk)


def _team_groups() -> list[tuple[str, str]]:
    """Group and team, in the order of the setting, in which the first counts."""
    pairs = (pair.partition("=") for pair in settings.OIDC_TEAM_GROUPS)
    return [(group.strip(), team.strip() or group.strip()) for group, _, team in pairs]


def _set_role(user: Any, group: str | None) -> bool:
    """Whether the account has lost the role."""
    given = GivenRole.objects.filter(user=user).first()
    if group is None:
        if given is None:
            return False
        given.delete()
        user.is_staff, user.is_superuser = given.was_staff, given.was_superuser
        told = "No longer operator, by its groups at a sign-on."
    elif user.is_staff and user.is_superuser:
        return False
    else:
        if given is None:
            was = {"was_staff": user.is_staff, "was_superuser": user.is_superuser}
            GivenRole.objects.create(user=user, group=group, **was)
        user.is_staff = user.is_superuser = True
        told = f"Operator, by the group {group} at a sign-on."
    user.save(update_fields=["is_staff", "is_superuser"])
    note_change(user, user.pk, told)
    return group is None


def _set_team(user: Any, name: str | None) -> bool:
    """Whether the account is in no team any more."""
    membership = Membership.objects.filter(user=user).select_related("team").first()
    if membership is not None:
        if membership.team.name == name or (name is None and not membership.by_sign_on):
            return False
        left = leave(membership.team, user)
        note_change(membership.team, user.pk, f"{left} By its groups at a sign-on.")
    if name is None:
        return membership is not None
    team, was_made = make_team(name)
    if was_made:
        note_made(team, user.pk, "Made at a sign-on, since OIDC_TEAM_GROUPS names it.")
    joined = join(team, user, by_sign_on=True)
    note_change(team, user.pk, f"{joined} By its groups at a sign-on.")
    return False
