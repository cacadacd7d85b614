"""The calendar windows of budgets: days, months and all time, in UTC."""

from datetime import UTC, date, datetime, time, timedelta
from enum import Enum


class Window(Enum):
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"

    def begin(self, day: date) -> date:
        if self is Window.TOTAL:
            return date.min
        return day if self is Window.DAY else day.replace(day=1)

    def end(self, day: date) -> date | None:
        """The first day after the window; None for all time."""
        if self is Window.TOTAL:
            return None
        if self is Window.DAY:
            return day + timedelta(days=1)
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)

    def reset_at(self, day: date) -> float | None:
        end = self.end(day)
        return None if end is None else datetime.combine(end, time(), UTC).timestamp()


def utc_day(epoch_s: float) -> date:
    return datetime.fromtimestamp(epoch_s, UTC).date()
