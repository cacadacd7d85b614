"""Totals as `check_ledger` and its repair use them: summed from rows, read, and, for those beside
`DayTotal`, set to the rows again.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models import Count, Min, Q, QuerySet, Sum

from keys.ledger.totals import CLIENT_GONE_STATUS, SUMMED
from keys.models import RequestLog

_LEFT: Final = Q(status=CLIENT_GONE_STATUS)
# Of COUNTED and SUMMED, each as `sum_…`.
SUMS_OF_ROWS: Final[dict[str, Any]] = {
    "sum_requests": Count("pk"),
    "sum_errors": Count("pk", filter=Q(status__gte=400) & ~_LEFT),
    "sum_client_gone": Count("pk", filter=_LEFT),
    "sum_unpriced": Count("pk", filter=Q(cost_nano_usd=None)),
    **{f"sum_{name}": Sum(name) for name in SUMMED},
}


def rows_of(day: date) -> QuerySet[RequestLog]:
    begin = datetime.combine(day, time(), UTC)
    rows = RequestLog.objects.filter(
        started_at__gte=begin, started_at__lt=begin + timedelta(days=1)
    )
    return rows.order_by()


class ExtraTotals(NamedTuple):
    """A table of totals: its model, the fields that identify a total, and those that add up."""

    model: Any
    place: type[Any]
    sums: tuple[str, ...]

    def stored(self, day: date) -> dict[Any, dict[str, Any]]:
        names = self.place._fields
        totals = self.model.objects.filter(day=day).values(*names, *self.sums)
        return {self.place(*(row[name] for name in names)): row for row in totals}

    def has_whole(self, day: date) -> bool:
        """Whether all workers kept these totals on that day. On the day of the first total, some
        may have been of a release that does not know them."""
        first = self.model.objects.aggregate(day=Min("day"))["day"]
        return first is not None and first < day

    def lock(self) -> None:
        """Writers wait until the transaction ends."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {self.model._meta.db_table} IN EXCLUSIVE MODE")

    def set_to(self, computed: Mapping[Any, Mapping[str, Any]], day: date) -> None:
        """Call it in a transaction in which nobody writes rows of the day."""
        self.model.objects.filter(day=day).delete()
        self.model.objects.bulk_create(
            [self.model(**place._asdict(), **sums) for place, sums in computed.items()],
            batch_size=500,
        )
