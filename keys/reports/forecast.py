"""Which limits stop their holders today (UTC): those that are used up, and those that will be."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from keys.ledger.windows import Window
from keys.reports.near_limits import NearLimit

# Use is taken as if it were of that long at least: of one request just after midnight would follow
# nothing.
SHORTEST: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Stopped:
    """`at` is when the limit is used up if its use goes on as in its window so far; None if it is
    used up already."""

    near: NearLimit
    at: datetime | None


def stopped_today(limits: Iterable[NearLimit], now: datetime) -> list[Stopped]:
    """Those that are used up first, then in the order of time. Of a limit of all time it is not
    known how fast it is used, so only one that is used up is among them."""
    now = now.astimezone(UTC)
    midnight = datetime.combine(now.date(), time(), UTC) + timedelta(days=1)
    found = []
    for one in limits:
        if one.use.is_full:
            found.append(Stopped(one, None))
            continue
        at = used_up_at(one, now)
        if at is not None and at < midnight:
            found.append(Stopped(one, at))
    return sorted(found, key=lambda each: (each.at or now, -each.near.percent, each.near.name))


def used_up_at(near: NearLimit, now: datetime) -> datetime | None:
    """None where the window ends before, and where nothing is known."""
    use, window = near.use, Window(near.subject.window)
    if not use.used or window is Window.TOTAL:
        return None
    begin = datetime.combine(window.begin(now.date()), time(), UTC)
    elapsed = max(now - begin, SHORTEST)
    left_s = elapsed.total_seconds() * (use.limit.amount - use.used) / use.used
    end = window.end(now.date())
    if end is None or left_s >= (datetime.combine(end, time(), UTC) - now).total_seconds():
        return None
    return now + timedelta(seconds=left_s)
