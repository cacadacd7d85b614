"""Limits under the names of the commands' options, so that what one prints another takes. None and
[] mean no limit."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any, Final

from keys.held_limits import SIMPLE
from keys.limit_holders import LimitHolder
from keys.models import Key, Limit, Limited
from keys.written_limits import LimitKind, WrittenLimit

ShownLimits = dict[str, Any]

# Shown also where there is no such limit.
_ALWAYS: Final = (
    *("rpm", "rpd", "tpm", "tpd", "concurrency"),
    *("daily-usd", "weekly-usd", "monthly-usd", "total-usd", "daily-neurons"),
)
# Beyond this all rows are read, since statements take only so many parameters.
_FEW: Final = 500


def limits_of_keys(keys: Collection[Key]) -> dict[int, ShownLimits]:
    """By the ids of the keys."""
    rows = Limit.objects.filter(holder_kind__in=("key", "user"))
    if len(keys) <= _FEW:
        rows = rows.filter(holder_id__in=[key.pk for key in keys])
    own: dict[int, list[Limit]] = defaultdict(list)
    of_users: dict[int, list[Limit]] = defaultdict(list)
    for row in _ordered(rows):
        (own if row.holder_kind == "key" else of_users)[row.holder_id].append(row)
    return {
        key.pk: {
            **_limits(key, own[key.pk]),
            "user_limit": [str(_written(row)) for row in of_users[key.pk]],
        }
        for key in keys
    }


def limits_of(holder: LimitHolder) -> ShownLimits:
    return _limits(holder.columns, _ordered(holder.rows))


def _ordered(rows: Any) -> Any:
    return rows.order_by("pk")


def _limits(columns: Limited | None, rows: Iterable[Limit]) -> ShownLimits:
    shown: ShownLimits = {_key(name): None for name in _ALWAYS}
    if columns is not None:
        for field, (what, window) in SIMPLE.items():
            kind = LimitKind(what, window)
            shown[_key(kind.name)] = _amount(kind, getattr(columns, field))
    of_models = []
    for row in rows:
        written = _written(row)
        if written.models:
            of_models.append(str(written))
        else:
            shown[_key(written.kind.name)] = _amount(written.kind, row.amount)
    return {**shown, "limit": of_models}


def _written(row: Limit) -> WrittenLimit:
    return WrittenLimit(LimitKind.of(row.subject), row.amount, row.subject.models)


def _amount(kind: LimitKind, amount: int | None) -> int | str | None:
    """A count as a number; USD and neurons as exact text."""
    if amount is None or kind.is_count:
        return amount
    return kind.unit.show(amount)


def _key(name: str) -> str:
    return name.replace("-", "_")
