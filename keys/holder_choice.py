"""Find whose limits an operator names: `key:7`, `owner:alice`, `team:research`, `everybody`."""

from typing import Any, Final

from django.contrib.auth import get_user_model

from keys.key_choice import NoSuchKey, key_named
from keys.limit_holders import (
    LimitHolder,
    holder_of_everybody,
    holder_of_key,
    holder_of_owner,
    holder_of_team,
)
from keys.teams import NoSuchTeam, team_named

FORMS: Final = "key:7, owner:alice, team:research or everybody"


class NoSuchHolder(LookupError):
    """The text names nobody who can have limits; the message says what it takes."""


def holder_named(text: str) -> LimitHolder:
    """Raises `NoSuchHolder`."""
    kind, _, name = text.strip().partition(":")
    try:
        if kind == "key" and name:
            return holder_of_key(key_named(name))
        if kind == "team" and name:
            return holder_of_team(team_named(name))
    except (NoSuchKey, NoSuchTeam) as error:
        raise NoSuchHolder(str(error)) from None
    if kind == "owner" and name:
        return holder_of_owner(owner_named(name))
    if kind == "everybody" and not name:
        return holder_of_everybody()
    raise NoSuchHolder(f"it takes {FORMS}")


def owner_named(username: str) -> Any:
    """Raises `NoSuchHolder`."""
    users = get_user_model().objects
    owner = users.filter(username=username.strip()).first() if "\0" not in username else None
    if owner is None:
        raise NoSuchHolder(f"there is no account {username!r}")
    return owner
