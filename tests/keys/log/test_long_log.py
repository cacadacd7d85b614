"""A log of many rows: exported in constant memory, pruned without holding anybody up."""

import sqlite3
import threading
import time
import weakref

import pytest
from django.core.management import call_command
from django.db import connection

from keys.log.export import BATCH_ROWS, rows_oldest_first, write_jsonl
from keys.log.walk import Sought
from keys.models import DayTotal, RequestLog
from tests.keys.log import long_log

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 6_000
LONGEST_LOCK_S = 1.0


class Lines:
    """Takes what a command writes and keeps none of it."""

    def __init__(self):
        self.count = 0

    def write(self, text):
        self.count += text.count("\n")

    def isatty(self):
        return False

    def flush(self):
        pass


@pytest.fixture
def many_rows():
    long_log.fill(ROWS)


@pytest.fixture
def longest_wait_s():
    """How long another writer had to wait at most, while the test did what it did."""
    if connection.vendor != "sqlite":
        pytest.skip("writers wait for each other on SQLite only")
    name = connection.settings_dict["NAME"]
    over, waits = threading.Event(), [0.0]

    def write_again_and_again():
        other = sqlite3.connect(name, isolation_level=None, timeout=30)
        while not over.wait(0.002):
            begun = time.monotonic()
            other.execute("BEGIN IMMEDIATE")
            other.execute("COMMIT")
            waits.append(time.monotonic() - begun)
        other.close()

    writer = threading.Thread(target=write_again_and_again)
    writer.start()

    def end():
        over.set()
        writer.join(30)
        return max(waits)

    yield end
    end()


def test_an_export_holds_a_batch_of_rows_and_not_the_log(many_rows):
    alive, most, out = weakref.WeakSet(), 0, Lines()

    def watched():
        nonlocal most
        for row in rows_oldest_first(Sought()):
            alive.add(row)
            most = max(most, len(alive))
            yield row

    write_jsonl(watched(), out)
    assert out.count == ROWS
    assert most <= BATCH_ROWS + 1


def test_pruning_keeps_the_totals_and_lets_others_write(many_rows, longest_wait_s):
    before = list(DayTotal.objects.order_by("id").values())
    call_command("prune_logs", "--older-than", "1d", stdout=Lines(), stderr=Lines())
    assert longest_wait_s() < LONGEST_LOCK_S
    assert not RequestLog.objects.exists()
    assert sum(total["requests"] for total in before) == ROWS
    assert list(DayTotal.objects.order_by("id").values()) == before
    call_command("check_ledger", stdout=Lines(), stderr=Lines())
