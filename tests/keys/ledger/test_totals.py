"""Totals as the ledger keeps them, and `check_ledger`, which computes them again."""

import asyncio
import json
import random
import threading
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.management import CommandError
from django.db import connection

from keys.ledger import check as ledger_check
from keys.ledger.snapshot import snapshot
from keys.ledger.totals import percentile_ms
from keys.ledger.writer import LedgerWriter
from keys.models import DURATION_COUNTS, TTFT_COUNTS, DayTotal, PruneMark, RequestLog
from tests.keys.factories import ledger_row, log_row
from tests.keys.test_commands import ran

pytestmark = pytest.mark.django_db(transaction=True)

DAY = datetime(2027, 5, 10, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def write():
    """Writes rows through a ledger and waits for them."""

    def write(*rows, ledgers=1):
        writers = [LedgerWriter() for _ in range(ledgers)]
        for writer in writers:
            writer.start()
        for number, row in enumerate(rows):
            writers[number % ledgers].put_nowait(row)
        assert all(writer.stop(20) for writer in writers)

    return write


def mixed_rows(count, seed=7):
    """Outcomes as a busy day and the one after have them."""
    dice = random.Random(seed)
    kinds = [
        {"status": 200},
        {"status": 200, "images": 2, "endpoint": "images", "ttft_ms": None},
        {"status": 200, "cached_tokens": 11},
        {"status": 499, "end_reason": "client_gone"},
        {"status": 502, "end_reason": "upstream_error", "cost_nano_usd": 0},
        {"status": 200, "cost_nano_usd": None, "neurons_micro": None},
        {"status": 404, "model": ""},
    ]
    for number in range(count):
        yield ledger_row(
            str(number),
            **{
                "started_at": DAY + dice.randrange(86_400) + dice.random(),
                "key_id": dice.choice([1, 2, None]),
                "owner_id": dice.choice([7, None]),
                "key_name": "laptop",
                "model": dice.choice(["@cf/a", "@cf/b"]),
                "prompt_tokens": dice.randrange(5_000),
                "completion_tokens": dice.randrange(900),
                "cost_nano_usd": dice.randrange(10**8),
                "neurons_micro": dice.randrange(10**7),
                "ttft_ms": dice.randrange(4_000),
                "duration_ms": dice.randrange(200_000),
                **dice.choice(kinds),
            },
        )


def total_of(field):
    return sum(DayTotal.objects.values_list(field, flat=True))


def test_totals_are_the_sums_of_the_rows_to_the_nano_dollar(write):
    rows = list(mixed_rows(300))
    write(*rows)
    assert total_of("requests") == 300
    assert total_of("cost_nano_usd") == sum(row.cost_nano_usd or 0 for row in rows)
    assert total_of("unpriced") == sum(row.cost_nano_usd is None for row in rows)
    assert total_of("errors") == sum(row.status in (404, 502) for row in rows)
    assert total_of("client_gone") == sum(row.status == 499 for row in rows)


def test_check_ledger_is_clean_after_three_hundred_mixed_requests(write):
    write(*mixed_rows(300), ledgers=3)
    out, _ = ran("check_ledger")
    assert out.strip() == "2 days checked: 0 differences."


def test_check_ledger_names_each_number_that_is_wrong_and_fails(write):
    write(*mixed_rows(20))
    total = DayTotal.objects.filter(key_id=1, model="@cf/a").first()
    DayTotal.objects.filter(pk=total.pk).update(cost_nano_usd=total.cost_nano_usd + 1)
    with pytest.raises(CommandError, match="1 totals differ"):
        ran("check_ledger")


def test_check_ledger_json_has_the_place_and_both_numbers(write):
    write(ledger_row(started_at=DAY, key_id=1, model="@cf/a", cost_nano_usd=5))
    DayTotal.objects.update(cost_nano_usd=6)
    out, _ = ran("check_ledger", "--json", "--repair")
    [difference] = json.loads(out)["differences"]
    assert difference == {
        "day": "2027-05-10",
        "key_id": 1,
        "owner_id": 0,
        "model": "@cf/a",
        "endpoint": "chat",
        "field": "cost_nano_usd",
        "rows": 5,
        "total": 6,
    }


def test_repair_sets_totals_right_and_keeps_refusals(write):
    write(*mixed_rows(50))
    log_row(started_at=datetime(2027, 4, 1, tzinfo=UTC), key_id=3, cost_nano_usd=9)
    DayTotal.objects.filter(key_id=1).update(cost_nano_usd=3, refused_requests=2)
    DayTotal.objects.filter(key_id=2).delete()
    ran("check_ledger", "--repair")
    assert "0 differences" in ran("check_ledger")[0]
    assert DayTotal.objects.get(day=date(2027, 4, 1)).cost_nano_usd == 9
    assert set(DayTotal.objects.filter(key_id=1).values_list("refused_requests", flat=True)) == {2}


def test_a_total_without_rows_is_a_difference():
    DayTotal.objects.create(day=date(2027, 5, 10), requests=1)
    with pytest.raises(CommandError):
        ran("check_ledger")


def test_refusals_alone_are_no_difference():
    DayTotal.objects.create(day=date(2027, 5, 10), refused_tokens=5)
    assert "0 differences" in ran("check_ledger")[0]


def test_check_ledger_is_clean_after_pruning_and_totals_stay(write):
    write(*mixed_rows(100))
    cost = total_of("cost_nano_usd")
    PruneMark.move_to(datetime.fromtimestamp(DAY, UTC))
    RequestLog.objects.filter(started_at__lt=datetime.fromtimestamp(DAY + 3600, UTC)).delete()
    out, _ = ran("check_ledger")
    assert "1 days checked since 2027-05-11, before which rows were pruned" in out
    assert total_of("cost_nano_usd") == cost


def test_prune_logs_leaves_its_mark_before_it_deletes(write):
    write(ledger_row(started_at=1_700_000_000.0))
    ran("prune_logs", "--older-than", "1d")
    assert not RequestLog.objects.exists()
    assert total_of("requests") == 1
    assert "0 differences" in ran("check_ledger")[0]


def test_the_prune_mark_never_goes_back():
    later, earlier = datetime(2027, 5, 2, tzinfo=UTC), datetime(2027, 5, 1, tzinfo=UTC)
    PruneMark.move_to(later)
    PruneMark.move_to(earlier)
    assert PruneMark.current() == later


def test_check_ledger_is_right_while_requests_run():
    writer = LedgerWriter()
    writer.start()
    stop = threading.Event()

    def feed():
        for number, row in enumerate(mixed_rows(1_000)):
            writer.put_nowait(row)
            if number % 20 == 0 and stop.wait(0.002):
                return

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        for _ in range(10):
            assert "0 differences" in ran("check_ledger")[0]
    finally:
        stop.set()
        feeder.join()
        assert writer.stop(10)


def test_writers_that_add_to_the_same_totals_lose_nothing(write):
    rows = [ledger_row(str(n), key_id=1, model=f"@cf/{n % 5}") for n in range(200)]
    write(*rows, ledgers=4)
    assert sorted(DayTotal.objects.values_list("requests", flat=True)) == [40] * 5


def test_a_moment_that_rounds_up_to_midnight_counts_for_the_day_it_is_stored_on(write):
    midnight = datetime(2027, 5, 11, tzinfo=UTC).timestamp()
    write(ledger_row(started_at=midnight - 0.0000002))
    assert "0 differences" in ran("check_ledger")[0]


def test_histograms_count_each_request_once(write):
    times = [0, 50, 51, 100, 102_400, 102_401, 10**9]
    write(*(ledger_row(str(ms), ttft_ms=ms, duration_ms=ms) for ms in times))
    total = DayTotal.objects.get()
    for names in (TTFT_COUNTS, DURATION_COUNTS):
        counts = [getattr(total, name) for name in names]
        assert counts == [2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    assert total.ttft_ms == total.duration_ms == sum(times)
    assert "0 differences" in ran("check_ledger")[0]


def test_the_migration_adds_up_the_times_of_the_rows_that_are_there(write):
    rows = list(mixed_rows(60))
    write(*rows)
    DayTotal.objects.update(ttft_ms=0, duration_ms=0)
    migration = import_module("keys.migrations.0005_latency_sums")
    migration.add_up(apps, SimpleNamespace(connection=connection))
    assert total_of("duration_ms") == sum(row.duration_ms for row in rows) > 0
    assert "0 differences" in ran("check_ledger")[0]


@pytest.mark.parametrize(
    ("counts", "share", "ms"),
    [
        ([0] * 13, 0.5, None),
        ([10] + [0] * 12, 0.5, 25),
        ([5, 5] + [0] * 11, 0.95, 95),
        ([0] * 12 + [3], 0.5, 102_400),
    ],
)
def test_percentiles_are_interpolated_within_their_bucket(counts, share, ms):
    assert percentile_ms(counts, share) == (None if ms is None else pytest.approx(ms))


def test_checking_takes_no_write_lock_on_sqlite(write):
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's single lock")
    write(*mixed_rows(10))
    with snapshot():
        ledger_check.sums_of_rows(date(2027, 5, 10))
        writer = LedgerWriter()
        writer.start()
        asyncio.run(asyncio.wait_for(_written(writer, ledger_row("meanwhile")), 5))
        writer.stop(5)
    assert RequestLog.objects.filter(request_id="meanwhile").exists()


async def _written(writer, row):
    await writer.put(row, asyncio.get_running_loop())


def test_days_far_apart_are_all_found():
    for days in (0, 1, 400):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)
        log_row(str(days), started_at=moment)
    with pytest.raises(CommandError):
        ran("check_ledger")
    ran("check_ledger", "--repair")
    assert ran("check_ledger")[0].startswith("3 days checked")
