"""What holders of limits have used, by model, from totals: one way for pages and for alerts."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from django.db.models import F, Q, QuerySet, Sum

from keys.held_limits import Subject, What
from keys.ledger import month_totals
from keys.scopes import HolderKind

# What a limit counts → the sum that is counted.
_SUMS: Final[dict[What, Any]] = {
    "usd": Sum("cost_nano_usd"),
    "neurons": Sum("neurons_micro"),
    "requests": Sum("requests"),
    "tokens": Sum(F("prompt_tokens") + F("completion_tokens")),
}
# The columns of totals and of reservations that say whose they are.
COLUMNS: Final[dict[HolderKind, tuple[str, ...]]] = {
    "key": ("key_id",),
    "owner": ("owner_id",),
    "team": ("team_id",),
    "user": ("key_id", "user"),
    "everybody": (),
}
# Beyond this many holders all are read, since statements take only so many parameters.
FEW: Final = 500

# The values of COLUMNS: a holder's id, and the person's name where each user counts.
Place = tuple[Any, ...]
# By model, or under "" where the models are not told apart.
Used = dict[str, dict[What, int]]


def spans(kind: HolderKind, begin: date, end: date) -> Iterator[QuerySet[Any]]:
    """Totals that know such holders, from `begin` to before `end`."""
    of_teams = kind in ("team", "user")
    yield from month_totals.spans(begin, end, month_totals.TEAMS if of_teams else month_totals.ALL)


def add(
    into: dict[Place, Used],
    totals: Iterable[QuerySet[Any]],
    kind: HolderKind,
    ids: Collection[int],
    *,
    by_model: bool,
    user: str = "",
) -> None:
    """Adds what each of the holders has used; of users all that have a name, unless it is one."""
    columns = COLUMNS[kind]
    groups = (*columns, "model") if by_model else columns
    whose = Q(**{f"{columns[0]}__in": ids}) if columns and len(ids) <= FEW else Q()
    if kind == "user":
        whose &= Q(user=user) if user else ~Q(user="")
    sums = {f"sum_{what}": each for what, each in _SUMS.items()}
    for some in totals:
        rows = some.filter(whose).order_by()
        for row in rows.values(*groups).annotate(**sums) if groups else [rows.aggregate(**sums)]:
            of_holder = into.setdefault(tuple(row[column] for column in columns), {})
            amounts = of_holder.setdefault(row.get("model", ""), {})
            for what in _SUMS:
                amounts[what] = amounts.get(what, 0) + int(row[f"sum_{what}"] or 0)


def counted(subject: Subject, used: Mapping[str, Mapping[What, int]]) -> int:
    """Of what a holder has used, what counts against the limit."""
    return sum(
        amounts.get(subject.what, 0)
        for model, amounts in used.items()
        if not subject.models or subject.counts(model)
    )


def place_of(subject: Subject, user: str = "") -> Place:
    if subject.holder_kind == "everybody":
        return ()
    return (subject.holder_id, user) if subject.holder_kind == "user" else (subject.holder_id,)
