"""The calendar windows of budgets: days, weeks, months and all time, in UTC."""

from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import lru_cache


class Window(Enum):
    DAY = "day"
    # From Monday, as ISO 8601 has it.
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"

    def begin(self, day: date) -> date:
        if self is Window.TOTAL:
            return date.min
        if self is Window.WEEK:
            return day - timedelta(days=day.weekday())
        return day if self is Window.DAY else day.replace(day=1)

    def end(self, day: date) -> date | None:
        """The first day after the window; None for all time."""
        if self is Window.TOTAL:
            return None
        if self is Window.DAY:
            return day + timedelta(days=1)
        if self is Window.WEEK:
            return self.begin(day) + timedelta(days=7)
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)

    def reset_at(self, day: date) -> float | None:
        end = self.end(day)
        return None if end is None else datetime.combine(end, time(), UTC).timestamp()


@lru_cache(maxsize=64)
def span(window: str, day: date) -> tuple[date, date]:
    """The first day of the window of that name, and the first one after it; `date.max` for all
    time."""
    named = Window(window)
    return named.begin(day), named.end(day) or date.max


def utc_day(epoch_s: float) -> date:
    return datetime.fromtimestamp(epoch_s, UTC).date()
