"""Who will be stopped today, by which limit, and when."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from keys.held_limits import HeldLimit, Subject, WindowName
from keys.reports.forecast import stopped_today
from keys.reports.limit_use import LimitUse
from keys.reports.near_limits import NearLimit

# A Wednesday.
NOON = datetime(2027, 5, 12, 12, tzinfo=UTC)


def limit(name: str, used: int, amount: int = 100, window: str = "day", **more: Any) -> NearLimit:
    subject = Subject("team", 1, "usd", cast(WindowName, window))
    return NearLimit(name, LimitUse(HeldLimit(subject, amount), used, **more))


def told(*limits: NearLimit, now: datetime = NOON) -> list[tuple[str, str]]:
    return [
        (one.near.name, "now" if one.at is None else f"{one.at:%H:%M}")
        for one in stopped_today(limits, now)
    ]


def test_a_day_goes_on_as_it_began() -> None:
    assert told(limit("late", 60), limit("never", 50), limit("soon", 80), limit("unused", 0)) == [
        ("soon", "15:00"),
        ("late", "20:00"),
    ]


def test_what_is_used_up_comes_first_whatever_its_window() -> None:
    limits = [limit("soon", 80), limit("full", 100), limit("ever", 120, window="total")]
    assert told(*limits) == [("ever", "now"), ("full", "now"), ("soon", "15:00")]
    # What running requests may use counts as used.
    assert told(limit("reserved", 70, reserved=30)) == [("reserved", "now")]


def test_longer_windows_stop_somebody_today_only_near_their_end() -> None:
    # Two days and a half of the week are over, eleven days and a half of the month.
    assert told(limit("week", 90, window="week"), limit("ever", 99, window="total")) == [
        ("week", "18:40")
    ]
    assert told(limit("week", 60, window="week"), limit("month", 95, window="month")) == []
    assert told(limit("month", 98, window="month")) == [("month", "17:37")]


def test_of_the_first_minutes_of_a_day_follows_nothing() -> None:
    just_after = datetime(2027, 5, 12, 0, 1, tzinfo=UTC)
    assert told(limit("one request", 4), now=just_after) == []
    assert told(limit("half of it", 50), now=just_after) == [("half of it", "01:01")]


@pytest.mark.parametrize("used", [1, 10**18])
def test_amounts_of_any_size_are_no_failure(used: int) -> None:
    told(limit("x", used, amount=2 * 10**18))
    assert told(limit("nothing allowed", 0, amount=0)) == [("nothing allowed", "now")]
