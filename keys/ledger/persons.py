"""Takes persons out of the totals by team and person; the sums of teams stay."""

from typing import Any, Final

from django.db import connection, transaction
from django.db.models import CharField, Max, Sum, Value
from django.db.models.functions import Cast, Concat

from keys.ledger import month_totals
from keys.ledger.team_totals import TEAM_SUMS
from keys.models import TeamMonthTotal, TeamTotal

_NAME_OF_KEY: Final = Concat(Value("key "), Cast("key_id", CharField()))
# What tells the totals of one day apart, apart from the person.
_PLACE: Final = ("team_id", "key_id", "owner_id", "model")


def erase_persons(owner_id: int, name: str) -> None:
    """The owner is called `name`, keys by their number, and those who used them nobody. A day at a
    time, in which the ledger waits."""
    of_owner = TeamTotal.objects.filter(owner_id=owner_id)
    of_owner.update(owner_name=name, key_name=_NAME_OF_KEY)
    days = of_owner.exclude(user="").order_by().values_list("day", flat=True).distinct()
    for day in list(days):
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("LOCK TABLE keys_teamtotal IN EXCLUSIVE MODE")
            _forget_persons(of_owner.filter(day=day), day)
    # They are made again, from days that have no names now.
    months = TeamMonthTotal.objects.filter(owner_id=owner_id).order_by()
    month_totals.forget(months.values_list("day", flat=True).distinct())


def _forget_persons(totals: Any, day: Any) -> None:
    sums: dict[str, Any] = {f"sum_{field}": Sum(field) for field in TEAM_SUMS}
    names = {f"last_{field}": Max(field) for field in ("team_name", "key_name", "owner_name")}
    # What is of no team has no total without a person.
    rows = list(totals.exclude(team_id=0).order_by().values(*_PLACE).annotate(**sums, **names))
    totals.delete()
    TeamTotal.objects.bulk_create(
        [
            TeamTotal(
                day=day,
                **{field: row[field] for field in _PLACE},
                **{field.removeprefix("last_"): row[field] for field in names},
                **{field: int(row[f"sum_{field}"] or 0) for field in TEAM_SUMS},
            )
            for row in rows
        ],
        batch_size=500,
    )
