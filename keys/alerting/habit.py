"""Keys that spend far above their own habit.

A habit is what the key itself spent on each of the 30 days before today on which it was used, at
least FEWEST_DAYS of them. Today is far above it when it is beyond the outer fence of these days
(the third quartile and three times the distance between the quartiles: Tukey's "far out"), and more
than twice the dearest of them. The fence follows how evenly the key spends; that it is twice the
dearest day keeps keys that spend the same every day from alarming over cents. No amount of money is
in the rule, so a small key has its alarm as a large one has.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import quantiles
from typing import Final

from django.db.models import Sum

from alerts.findings import Finding, Holder
from keys import shown
from keys.alerting.owners import addresses
from keys.alerting.pages import own_page_of_key, page_of_key
from keys.models import DayTotal, Key

DAYS: Final = 30
FEWEST_DAYS: Final = 7


def far_above(days: Sequence[int]) -> int | None:
    """The amount above which a day is far above the habit; None without enough days."""
    spent = [amount for amount in days if amount > 0]
    if len(spent) < FEWEST_DAYS:
        return None
    first, _, third = quantiles(spent, n=4, method="inclusive")
    return max(int(third + 3 * (third - first)), 2 * max(spent))


def find(now: datetime) -> Iterator[Finding]:
    today = now.astimezone(UTC).date()
    spent_today = _spent(today, today)
    before = _spent(today - timedelta(days=DAYS), today - timedelta(days=1), set(spent_today))
    far: dict[int, tuple[int, int]] = {}
    for key_id, amounts in spent_today.items():
        usual = far_above(before.get(key_id, ()))
        if usual is not None and amounts[0] > usual:
            far[key_id] = (amounts[0], usual)
    keys = {key.pk: key for key in Key.objects.filter(pk__in=far).select_related("owner")}
    mail = addresses(key.owner_id for key in keys.values())
    for key_id, key in keys.items():
        amount, usual = far[key_id]
        dearest = max(before[key_id])
        whose = f" of {key.owner}" if key.owner else ""
        yield Finding(
            event="key_habit",
            series=f"key_habit:{key_id}:{today}",
            text=f"The key {key.name}{whose} has spent {shown.usd(amount)} today, far above its "
            f"habit: {shown.usd(dearest)} was its dearest day of the last {DAYS}.",
            holder=Holder("key", key.name, key_id),
            figures={
                "spent_today_usd": amount / 10**9,
                "far_above_usd": usual / 10**9,
                "dearest_day_usd": dearest / 10**9,
                "days_used": len(before[key_id]),
            },
            admin_path=page_of_key(key_id),
            owner_path=own_page_of_key(key_id),
            mail_to=mail.get(key.owner_id or 0, ()),
        )


def _spent(first: date, last: date, key_ids: "set[int] | None" = None) -> dict[int, list[int]]:
    """By key, what each day cost on which it spent anything."""
    rows = DayTotal.objects.filter(day__gte=first, day__lte=last, key_id__gt=0, cost_nano_usd__gt=0)
    days = rows.order_by().values_list("key_id", "day").annotate(cost=Sum("cost_nano_usd"))
    found: dict[int, list[int]] = defaultdict(list)
    for key_id, _, cost in days:
        if key_ids is None or key_id in key_ids:
            found[key_id].append(int(cost))
    return found
