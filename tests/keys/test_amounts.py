from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import amounts


@pytest.mark.parametrize(
    ("text", "nano_usd"),
    [("1", 10**9), ("12.50", 12_500_000_000), ("$3", 3 * 10**9), ("0.000000001", 1)],
)
def test_usd_are_read_exactly(text, nano_usd):
    assert amounts.nano_usd_from_text(text) == nano_usd


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "abc", "nan", "inf", "0.0000000001", "1e30", "1e999999999", "1,5"],
)
def test_what_is_no_amount_is_refused_quickly(text):
    with pytest.raises(ValueError):
        amounts.nano_usd_from_text(text)


@given(st.integers(1, 10**18))
def test_usd_come_back_as_they_went(nano_usd):
    assert amounts.nano_usd_from_text(amounts.usd_text(nano_usd)) == nano_usd


def test_usd_are_shown_without_an_exponent():
    assert amounts.usd_text(1) == "0.000000001"
    assert amounts.usd_text(0) == "0"
    assert amounts.usd_text(100 * 10**9) == "100"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90d", 7_776_000), ("24h", 86_400), ("30m", 1800), ("0s", 0)]
)
def test_durations_are_read(text, seconds):
    assert amounts.duration_from_text(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "5x", "-1d", "1.5h", "999999999w"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError):
        amounts.duration_from_text(text)


def test_a_key_that_expires_on_a_day_works_through_that_day():
    moment = amounts.last_moment_from_text("2027-01-31")
    assert moment == datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)


def test_a_time_with_a_zone_is_taken_as_it_is():
    moment = amounts.last_moment_from_text("2027-01-31T12:00:00+02:00")
    assert moment == datetime(2027, 1, 31, 10, tzinfo=UTC)
