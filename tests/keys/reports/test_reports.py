import uuid
from datetime import UTC, date, datetime, timedelta

import pytest

from keys.models import DayTotal, Reservation
from keys.reports.usage import SumsEver, account_neuron_day, key_usage, owner_usage, sums_by_day
from tests.keys.factories import log_row

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 5, 10, 12, tzinfo=UTC)


def total(month, day, cost, **fields):
    values = {"key_id": 1, "owner_id": 7, "cost_nano_usd": cost, **fields}
    return DayTotal.objects.create(day=date(2027, month, day), **values)


def test_use_is_summed_by_utc_day_and_month_and_in_all():
    for month, day, cost in ((4, 30, 1), (5, 1, 10), (5, 9, 100), (5, 10, 1000)):
        total(month, day, cost)
    total(5, 10, 7, key_id=2)
    usage = key_usage(1, now=NOW)
    assert (usage.day.cost_nano_usd, usage.month.cost_nano_usd) == (1000, 1110)
    assert usage.total.cost_nano_usd == 1111
    assert owner_usage(7, now=NOW).day.cost_nano_usd == 1007


def test_a_key_that_was_never_used_has_used_nothing():
    usage = key_usage(99)
    assert (usage.total.cost_nano_usd, usage.day.prompt_tokens) == (0, 0)
    assert set(usage.refused_today.values()) == {0}


def test_what_runs_is_shown_as_reserved_until_its_lease_ends():
    for seconds in (60, -60):
        Reservation.objects.create(
            id=uuid.uuid4(),
            writer=uuid.uuid4(),
            key_id=1,
            owner_id=7,
            day=NOW.date(),
            cost_nano_usd=5,
            neurons_micro=3,
            expires_at=NOW + timedelta(seconds=seconds),
        )
    usage = key_usage(1, now=NOW)
    assert (usage.day.reserved_nano_usd, usage.total.reserved_neurons_micro) == (5, 3)


def test_only_todays_refusals_are_todays():
    total(5, 9, 0, refused_requests=4)
    total(5, 10, 0, refused_requests=2)
    assert key_usage(1, now=NOW).refused_today["refused_requests"] == 2


def test_sums_by_day_group_as_asked():
    total(5, 9, 1, model="a")
    total(5, 10, 2, model="a")
    total(5, 10, 4, model="b", endpoint="chat")
    total(5, 10, 8, model="b", endpoint="images")
    rows = sums_by_day(date(2027, 5, 10), date(2027, 5, 11), by=["model"])
    assert [(row["model"], row["cost_nano_usd"]) for row in rows] == [("a", 2), ("b", 12)]


# --- the account's neuron day -------------------------------------------------------------------

NEURON = 10**6


def test_the_neuron_day_is_over_all_keys_and_of_today_only():
    total(5, 9, 0, neurons_micro=9_000 * NEURON)
    total(5, 10, 0, neurons_micro=1_000 * NEURON)
    total(5, 10, 0, neurons_micro=500 * NEURON, key_id=2, owner_id=8, unpriced=3)
    day = account_neuron_day(NOW)
    assert (day.used_micro, day.free_micro) == (1_500 * NEURON, 10_000 * NEURON)
    assert day.left_micro == 8_500 * NEURON
    assert day.unknown_requests == 3


def test_neurons_that_half_a_day_took_two_thirds_of_are_gone_at_six_in_the_evening():
    total(5, 10, 0, neurons_micro=20_000 * NEURON // 3 + 1)
    gone_at = account_neuron_day(NOW).gone_at
    assert abs(gone_at - datetime(2027, 5, 10, 18, tzinfo=UTC)) < timedelta(seconds=1)


@pytest.mark.parametrize("used", [0, 5_000, 10_000, 12_000])
def test_neurons_that_last_until_midnight_or_are_gone_have_no_forecast(used):
    total(5, 10, 0, neurons_micro=used * NEURON)
    assert account_neuron_day(NOW).gone_at is None


def test_workers_ais_word_that_neurons_are_used_up_comes_before_what_was_counted():
    total(5, 10, 0, neurons_micro=9_000 * NEURON)
    refused = {"status": 429, "error_code": "insufficient_quota"}
    log_row("yesterday", started_at=NOW - timedelta(days=1), **refused)
    assert account_neuron_day(NOW).used_up_at is None
    log_row("first", started_at=NOW - timedelta(hours=2), **refused)
    log_row("second", started_at=NOW - timedelta(hours=1), **refused)
    day = account_neuron_day(NOW)
    assert day.used_up_at == NOW - timedelta(hours=2)
    assert (day.left_micro, day.gone_at) == (0, None)


def test_the_free_neurons_are_a_setting(settings):
    settings.FREE_DAILY_NEURONS = 0
    total(5, 10, 0, neurons_micro=NEURON)
    day = account_neuron_day(NOW)
    assert (day.free_micro, day.gone_at) == (0, None)


def test_sums_since_the_first_request_hold_days_long_over_and_today():
    today = date(2027, 5, 10)
    for days, requests in ((0, 1), (1, 10), (2, 100), (400, 1000)):
        day = today - timedelta(days=days)
        DayTotal.objects.create(day=day, endpoint="chat", model="m", requests=requests)
    noon = datetime(2027, 5, 10, 12, tzinfo=UTC)
    sums = SumsEver()
    for later in (0, 1, 40):
        assert sums.read(noon + timedelta(days=later))["chat", "m"]["requests"] == 1111
    DayTotal.objects.filter(day=today).update(requests=5)
    assert sums.read(noon)["chat", "m"]["requests"] == 1115
