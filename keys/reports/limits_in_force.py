"""The limits that hold now for keys, owners, teams or everybody: columns, rows and raises."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from keys.held_limits import HeldLimit, Raised, effective, of_columns
from keys.models import Limit, Raise
from keys.scopes import NO_LIMITS, HolderKind, Limits

# Beyond this all are read, since statements take only so many parameters.
_FEW = 500


def limits_in_force(
    kind: HolderKind, columns: Mapping[int, Limits], now: datetime | None = None
) -> dict[int, tuple[HeldLimit, ...]]:
    """Of all these holders, by their ids, in two queries. `columns` are the limits in the columns
    of keys and owners; others have none."""
    moment = now or timezone.now()
    whose = Q(holder_kind=kind)
    if len(columns) <= _FEW:
        whose &= Q(holder_id__in=list(columns))
    held: dict[int, list[HeldLimit]] = defaultdict(list)
    for limit in Limit.objects.filter(whose).order_by():
        held[limit.holder_id].append(limit.held())
    raises: dict[int, list[Raised]] = defaultdict(list)
    for one in Raise.in_force(moment).filter(whose).order_by():
        raises[one.holder_id].append(one.raised())
    return {
        holder_id: effective(
            [*of_columns(kind, holder_id, limits), *held[holder_id]],
            raises[holder_id],
            moment.timestamp(),
        )
        for holder_id, limits in columns.items()
    }


def limits_of_one(
    kind: HolderKind, holder_id: int, columns: Limits = NO_LIMITS
) -> tuple[HeldLimit, ...]:
    return limits_in_force(kind, {holder_id: columns})[holder_id]
