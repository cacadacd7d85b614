"""Whose keys a page shows and changes: one's own, or those of a team's members that one leads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet
from django.http import Http404

from keys.member import policy
from keys.models import Key


@dataclass(frozen=True, slots=True)
class Whose:
    is_own: bool
    # The keys that a user may see and change here.
    keys: Callable[[Any], QuerySet[Key]]
    # In the history: "Rotated by its owner".
    by: str
    nothing: str
    # Over the pages, and where it leads to.
    home_words: str
    # Names of pages.
    home: str
    key: str
    limits: str
    rotate: str
    revoke: str

    def find(self, user: Any, key_id: int) -> Key:
        """The same failure for a key of somebody else and for one that does not exist."""
        key = self.keys(user).filter(pk=key_id).first()
        if key is None:
            raise Http404(self.nothing)
        return key

    def find_in_force(self, user: Any, key_id: int) -> Key:
        key = self.find(user, key_id)
        problem = policy.why_out_of_force(key)
        if problem is not None:
            raise Http404(problem)
        return key


OWN: Final = Whose(
    is_own=True,
    keys=policy.own_keys,
    by="its owner",
    nothing="You have no such key.",
    home_words="Your keys",
    home="member:home",
    key="member:key",
    limits="member:limits",
    rotate="member:rotate",
    revoke="member:revoke",
)
OF_TEAM: Final = Whose(
    is_own=False,
    keys=policy.keys_of_led_team,
    by="a lead of its owner's team",
    nothing="You lead no team with such a key.",
    home_words="Your team",
    home="member:team",
    key="member:team_key",
    limits="member:team_limits",
    rotate="member:team_rotate",
    revoke="member:team_revoke",
)
