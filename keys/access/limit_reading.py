"""Reads the limits of the one form, and the raises in force, of any number of keys. Call it on a
thread."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import NamedTuple

from django.db.models import Q

from keys.held_limits import HeldLimit, Raised
from keys.models import Key, Limit, Membership, Raise
from keys.scopes import HolderKind

Holder = tuple[HolderKind, int]
EVERYBODY: Holder = ("everybody", 0)


class ReadLimits(NamedTuple):
    """Limits and raises by their holder."""

    limits: dict[Holder, list[HeldLimit]]
    raises: dict[Holder, list[Raised]]

    def of(
        self, key_id: int, owner_id: int | None, team_id: int | None
    ) -> tuple[tuple[HeldLimit, ...], tuple[Raised, ...]]:
        """Those that hold for a key."""
        if not self.limits and not self.raises:
            return (), ()
        holders: list[Holder] = [("key", key_id), ("user", key_id), EVERYBODY]
        if owner_id is not None:
            holders.append(("owner", owner_id))
        if team_id is not None:
            holders.append(("team", team_id))
        limits = [limit for holder in holders for limit in self.limits.get(holder, ())]
        raises = [one for holder in holders for one in self.raises.get(holder, ())]
        return tuple(limits), tuple(raises)


def read_limits(key_ids: list[int] | None, now: float) -> ReadLimits:
    """Those of some keys, of all keys where `key_ids` is None."""
    whose = Q()
    if key_ids is not None:
        owners = Key.objects.filter(pk__in=key_ids).values("owner_id")
        members = Membership.objects.filter(user_id__in=owners)
        whose = (
            Q(holder_kind__in=("key", "user"), holder_id__in=key_ids)
            | Q(holder_kind="owner", holder_id__in=owners)
            | Q(holder_kind="team", holder_id__in=members.values("team_id"))
            | Q(holder_kind="everybody")
        )
    limits: dict[Holder, list[HeldLimit]] = defaultdict(list)
    for limit in Limit.objects.filter(whose).order_by():
        held = limit.held()
        limits[held.subject.holder_kind, held.subject.holder_id].append(held)
    raises: dict[Holder, list[Raised]] = defaultdict(list)
    for one in Raise.in_force(datetime.fromtimestamp(now, UTC)).filter(whose).order_by():
        raised = one.raised()
        raises[raised.subject.holder_kind, raised.subject.holder_id].append(raised)
    return ReadLimits(limits, raises)
