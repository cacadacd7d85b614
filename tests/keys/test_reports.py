from datetime import UTC, datetime

import pytest

from keys.reports import key_usage
from tests.keys.factories import log_row

pytestmark = pytest.mark.django_db


def test_use_is_summed_by_utc_day_and_month_and_in_all():
    for month, day, cost in ((4, 30, 1), (5, 1, 10), (5, 9, 100), (5, 10, 1000)):
        log_row(started_at=datetime(2027, month, day, tzinfo=UTC), cost_nano_usd=cost)
    log_row(started_at=datetime(2027, 5, 10, tzinfo=UTC), cost_nano_usd=7, key_id=2)
    usage = key_usage(1, now=datetime(2027, 5, 10, 12, tzinfo=UTC))
    assert (usage.day.cost_nano_usd, usage.month.cost_nano_usd) == (1000, 1110)
    assert usage.total.cost_nano_usd == 1111


def test_a_key_that_was_never_used_has_used_nothing():
    usage = key_usage(99)
    assert (usage.total.cost_nano_usd, usage.day.prompt_tokens) == (0, 0)
