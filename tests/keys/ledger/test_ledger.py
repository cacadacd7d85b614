"""The ledger with its real thread and a real database."""

import asyncio
import logging
import sqlite3
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone

from keys.errors import LedgerFull, LedgerUnavailable, RowRefused
from keys.ledger import connection as ledger_connection
from keys.ledger import mark, waiting
from keys.ledger import rows as ledger_rows
from keys.ledger.mark import WriterMark
from keys.ledger.rows import LedgerRow
from keys.ledger.writer import LedgerWriter
from keys.models import Key, LedgerMark, RequestLog, Revision
from tests.keys.factories import issued, ledger_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def writers():
    """Makes running ledgers and stops those that a test leaves running."""
    made = []

    def make(kind=LedgerWriter, **options):
        made.append(kind(**options))
        made[-1].start()
        return made[-1]

    yield make
    for writer in made:
        writer.stop(5)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


async def put_and_wait(writer, *rows):
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(writer.put(row, loop) for row in rows))


async def in_thread(function):
    def work():
        try:
            return function()
        finally:
            connection.close()

    return await asyncio.to_thread(work)


async def until(condition):
    while not condition():  # noqa: ASYNC110 (what it waits for happens on a thread)
        await asyncio.sleep(0.005)


def request_ids():
    return list(RequestLog.objects.order_by("id").values_list("request_id", flat=True))


class FailingWriter(LedgerWriter):
    """The database fails as long as the test says so."""

    failing = True

    def _write(self, group):
        if self.failing:
            raise OperationalError("server closed the connection")
        super()._write(group)


def test_every_field_of_a_row_arrives(writers):
    row = ledger_row(
        key_id=3, key_name="laptop", cached_tokens=0, cost_nano_usd=12, price='{"in": 1}', user="u"
    )
    run(put_and_wait(writers(), row))
    stored = RequestLog.objects.get()
    assert stored.started_at.timestamp() == row.started_at
    for name in LedgerRow.__slots__:
        if name not in ("started_at", "captured"):
            assert getattr(stored, name) == getattr(row, name), name


def test_a_row_has_exactly_the_columns_of_the_log():
    columns = {field.attname for field in RequestLog._meta.concrete_fields} - {"id"}
    assert set(LedgerRow.__slots__) == columns | {"captured"}


def test_the_future_resolves_after_the_commit_and_not_before(writers):
    writer = writers(commit_delay_ms=150)

    async def main():
        future = writer.put(ledger_row(), asyncio.get_running_loop())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(future), 0.05)
        before = await in_thread(RequestLog.objects.count)
        await future
        return before, await in_thread(RequestLog.objects.count)

    assert run(main()) == (0, 1)


def test_rows_that_come_together_share_transactions(writers):
    writer = writers()
    run(put_and_wait(writer, *(ledger_row(str(n)) for n in range(300))))
    assert RequestLog.objects.count() == 300
    assert writer.health().groups_written <= 10


def test_a_group_has_an_upper_size(writers):
    writer = writers(group_rows=10)
    run(put_and_wait(writer, *(ledger_row(str(n)) for n in range(100))))
    assert writer.health().groups_written >= 10


def test_rows_are_stored_in_the_order_they_came(writers):
    writer = writers(group_rows=7)
    run(put_and_wait(writer, *(ledger_row(str(n)) for n in range(50))))
    assert request_ids() == [str(n) for n in range(50)]


def test_the_loop_is_called_once_for_a_group(writers, monkeypatch):
    writer = writers(commit_delay_ms=50)

    async def main():
        loop = asyncio.get_running_loop()
        calls = []
        original = loop.call_soon_threadsafe

        def counted(callback, *args, **kwargs):
            if callback is waiting._resolve:
                calls.append(callback)
            return original(callback, *args, **kwargs)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        await asyncio.gather(*(writer.put(ledger_row(str(n)), loop) for n in range(100)))
        return calls

    assert len(run(main())) <= 3


def test_a_cancelled_waiter_neither_loses_its_row_nor_harms_others(writers):
    writer = writers(commit_delay_ms=50)

    async def main():
        loop = asyncio.get_running_loop()
        lost, other = writer.put(ledger_row("1"), loop), writer.put(ledger_row("2"), loop)
        lost.cancel()
        await other

    run(main())
    assert request_ids() == ["1", "2"]


def test_a_loop_that_ended_early_does_not_stop_the_ledger(writers):
    writer = writers(commit_delay_ms=50)

    async def leave():
        writer.put(ledger_row("1"), asyncio.get_running_loop())

    asyncio.run(leave())
    run(put_and_wait(writer, ledger_row("2")))
    assert request_ids() == ["1", "2"]


def test_stop_writes_what_is_queued(writers):
    writer = writers(commit_delay_ms=20, group_rows=5)
    for number in range(20):
        writer.put_nowait(ledger_row(str(number)))
    assert writer.stop(5)
    assert RequestLog.objects.count() == 20


def test_stop_gives_up_in_time_and_says_how_many_rows_are_lost(writers, caplog):
    writer = writers(FailingWriter)
    writer.put_nowait(ledger_row())
    began = time.monotonic()
    with caplog.at_level(logging.ERROR):
        assert not writer.stop(0.2)
    assert time.monotonic() - began < 20
    assert "1 rows not written" in caplog.text


def test_rows_that_a_stop_had_to_give_up_are_written_by_the_next_start(writers):
    writer = writers(FailingWriter)
    writer.put_nowait(ledger_row("1"))
    assert not writer.stop(0.1)
    writer.put_nowait(ledger_row("2"))
    writer.failing = False
    writer.start()
    assert writer.stop(5)
    assert request_ids() == ["1", "2"]


def test_a_ledger_made_before_a_fork_takes_a_mark_of_its_own(writers, monkeypatch):
    parent = writers()
    run(put_and_wait(parent, ledger_row("1")))
    parent.stop(5)
    monkeypatch.setattr(mark.os, "getpid", lambda: -1)
    parent.start()
    run(put_and_wait(parent, ledger_row("2")))
    assert LedgerMark.objects.count() == 2


def test_a_ledger_that_does_not_run_admits_nobody():
    with pytest.raises(LedgerUnavailable):
        LedgerWriter().check_room()


def test_a_stopped_ledger_admits_nobody(writers):
    writer = writers()
    writer.check_room()
    writer.stop(5)
    with pytest.raises(LedgerUnavailable):
        writer.check_room()


def test_too_many_waiting_rows_refuse_new_requests_but_keep_running_ones(writers):
    writer = writers(FailingWriter, queue_rows=3)
    for number in range(3):
        writer.put_nowait(ledger_row(str(number)))
    with pytest.raises(LedgerFull):
        writer.check_room()
    writer.put_nowait(ledger_row("of a request in flight"))
    writer.failing = False
    assert writer.stop(5)
    assert RequestLog.objects.count() == 4


def test_a_full_ledger_is_not_healthy_though_the_database_has_not_failed_yet(writers):
    taken, free = threading.Event(), threading.Event()

    class Waiting(LedgerWriter):
        def _write(self, group):
            taken.set()
            free.wait(10)
            super()._write(group)

    writer = writers(Waiting, queue_rows=2)
    for number in range(2):
        writer.put_nowait(ledger_row(str(number)))
    assert taken.wait(5)
    assert writer.health().problem == "the ledger is full: 2 rows wait for the database"
    free.set()
    assert writer.stop(5)
    assert RequestLog.objects.count() == 2


def test_a_ledger_that_waits_for_longer_than_budgets_do_is_not_healthy(writers, settings):
    settings.BUDGET_TIMEOUT = 0.05
    taken, free = threading.Event(), threading.Event()

    class Waiting(LedgerWriter):
        def _write(self, group):
            taken.set()
            free.wait(10)
            super()._write(group)

    writer = writers(Waiting)
    writer.put_nowait(ledger_row())
    assert taken.wait(5)
    run(until(lambda: writer.health().problem))
    assert writer.health().problem.startswith("the ledger has waited for the database for ")
    free.set()
    assert writer.stop(5)
    assert writer.health().problem == "the ledger does not run"


def test_an_outage_keeps_rows_in_order_and_the_health_says_so(writers):
    writer = writers(FailingWriter)

    async def main():
        loop = asyncio.get_running_loop()
        first = writer.put(ledger_row("1"), loop)
        await until(lambda: writer.health().problem)
        second = writer.put(ledger_row("2"), loop)
        health = writer.health()
        assert (health.depth, health.last_error) == (2, "server closed the connection")
        assert health.oldest_age_s > 0
        assert not first.done()
        writer.failing = False
        await asyncio.gather(first, second)

    run(main())
    assert request_ids() == ["1", "2"]
    assert writer.health().problem == ""


def test_a_commit_whose_answer_was_lost_is_not_repeated(writers):
    class Forgetful(LedgerWriter):
        lost = 0

        def _write(self, group):
            super()._write(group)
            if self.lost < 2:
                self.lost += 1
                raise OperationalError("connection lost at commit")

    run(put_and_wait(writers(Forgetful), ledger_row("1"), ledger_row("2")))
    assert sorted(request_ids()) == ["1", "2"]


def test_a_commit_that_failed_is_repeated(writers, monkeypatch):
    failures = [1, 2, 3]
    move = WriterMark.move

    def unlucky(mark, transaction):
        moved = move(mark, transaction)
        if failures:
            failures.pop()
            raise OperationalError("connection lost before commit")
        return moved

    monkeypatch.setattr(WriterMark, "move", unlucky)
    run(put_and_wait(writers(), ledger_row("1")))
    assert not failures
    assert request_ids() == ["1"]


def test_the_ledger_goes_on_when_its_marks_were_deleted(writers):
    writer = writers()
    run(put_and_wait(writer, ledger_row("1")))
    LedgerMark.objects.all().delete()
    run(put_and_wait(writer, ledger_row("2")))
    run(put_and_wait(writer, ledger_row("3")))
    assert request_ids() == ["1", "2", "3"]
    assert LedgerMark.objects.get().group_number == 3


def test_marks_of_writers_long_gone_are_pruned(writers):
    old = timezone.now() - timedelta(days=30)
    LedgerMark.objects.create(writer="1" * 32, group_number=5, written_at=old)
    run(put_and_wait(writers(), ledger_row()))
    assert LedgerMark.objects.count() == 1


@contextmanager
def locked_database():
    name = str(connection.settings_dict["NAME"])
    with sqlite3.connect(name, isolation_level=None, check_same_thread=False) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
    other.close()


def test_a_locked_sqlite_file_delays_rows_and_loses_none(writers, monkeypatch):
    if connection.vendor != "sqlite":
        pytest.skip("locks a SQLite file")
    monkeypatch.setattr(ledger_connection, "LOCK_WAIT_MS", 20)
    writer = writers()
    run(put_and_wait(writer, ledger_row("0")))

    async def main():
        loop = asyncio.get_running_loop()
        with locked_database():
            futures = [writer.put(ledger_row(str(n)), loop) for n in range(1, 20)]
            await until(lambda: writer.health().problem)
            assert not any(future.done() for future in futures)
        await asyncio.gather(*futures)

    run(main())
    assert request_ids() == [str(n) for n in range(20)]


def test_a_postgresql_backend_that_dies_costs_no_row(writers):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL as the database of the tests")
    writer = writers()
    for number in range(5):
        run(put_and_wait(writer, ledger_row(str(number))))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    run(put_and_wait(writer, ledger_row("last")))
    assert request_ids() == ["0", "1", "2", "3", "4", "last"]


@pytest.mark.parametrize(
    ("field", "sent", "stored"),
    [
        ("user_agent", "x" * 5_000, "x" * 200),
        ("user_agent", "nul\0 here", "nul here"),
        ("user", "half \ud83d pair", "half ? pair"),
        ("user", None, ""),
        ("user", 42, "42"),
        ("prompt_tokens", 10**30, 10**15),
        ("prompt_tokens", -5, 0),
        ("ttft_ms", 10**12, 2**31 - 1),
        ("attempts", 10**6, 2**15 - 1),
        ("completion_tokens", 7.0, 7),
    ],
)
def test_absurd_values_are_fitted_to_their_column(writers, field, sent, stored):
    run(put_and_wait(writers(), ledger_row(**{field: sent})))
    assert getattr(RequestLog.objects.get(), field) == stored


def test_a_row_that_cannot_be_stored_does_not_hold_up_the_others(writers, caplog):
    writer = writers()

    async def main():
        loop = asyncio.get_running_loop()
        bad = ledger_row("bad", prompt_tokens="many")
        rows = [ledger_row("1"), bad, ledger_row("2")]
        return await asyncio.gather(
            *(writer.put(row, loop) for row in rows), return_exceptions=True
        )

    with caplog.at_level(logging.ERROR):
        first, refused, last = run(main())
    assert isinstance(refused, RowRefused)
    assert (first, last) == (None, None)
    assert request_ids() == ["1", "2"]
    assert "bad" in caplog.text and "many" not in caplog.text


def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(writers):
    writer = writers()

    async def main():
        loop = asyncio.get_running_loop()
        bad = ledger_row("bad", model=None, stream=None)
        rows = [ledger_row("1"), bad, ledger_row("2")]
        return await asyncio.gather(
            *(writer.put(row, loop) for row in rows), return_exceptions=True
        )

    original = ledger_rows.values_of

    def with_a_null(row):
        values = list(original(row))
        if row.request_id == "bad":
            values[1] = None
        return tuple(values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger_rows, "values_of", with_a_null)
        results = run(main())
    assert [type(result).__name__ for result in results] == ["NoneType", "RowRefused", "NoneType"]
    assert request_ids() == ["1", "2"]
    run(put_and_wait(writer, ledger_row("3")))
    assert request_ids() == ["1", "2", "3"]


def test_written_waits_for_all_that_was_queued_before(writers):
    writer = writers(commit_delay_ms=30)

    async def main():
        writer.put_nowait(ledger_row())
        await writer.written()

    run(main())
    assert RequestLog.objects.count() == 1


def test_use_of_a_key_moves_its_last_used_at_without_a_revision(writers):
    key, _ = issued()
    revision = Revision.current()
    now = timezone.now().timestamp()
    writer = writers()
    run(put_and_wait(writer, ledger_row("1", key_id=key.pk, started_at=now)))
    run(put_and_wait(writer, ledger_row("2", key_id=key.pk, started_at=now + 5)))
    first = Key.objects.get(pk=key.pk).last_used_at.timestamp()
    assert first == pytest.approx(now)
    run(put_and_wait(writer, ledger_row("3", key_id=key.pk, started_at=now + 61)))
    assert Key.objects.get(pk=key.pk).last_used_at.timestamp() == pytest.approx(now + 61)
    assert Revision.current() == revision


def test_a_row_of_an_older_request_does_not_move_last_used_at_back(writers):
    key, _ = issued()
    used = timezone.now()
    Key.objects.filter(pk=key.pk).update(last_used_at=used)
    hour_ago = used.timestamp() - 3600
    run(put_and_wait(writers(), ledger_row(key_id=key.pk, started_at=hour_ago)))
    assert Key.objects.get(pk=key.pk).last_used_at == used


def test_two_writers_at_once_lose_nothing(writers):
    key, _ = issued()
    first, second = writers(group_rows=5), writers(group_rows=5)

    async def main():
        rows = [ledger_row(str(n), key_id=key.pk) for n in range(60)]
        await asyncio.gather(put_and_wait(first, *rows[:30]), put_and_wait(second, *rows[30:]))

    run(main())
    assert RequestLog.objects.count() == 60


def test_rows_may_come_from_any_thread(writers):
    writer = writers()
    threads = [
        threading.Thread(target=lambda n=n: writer.put_nowait(ledger_row(str(n))))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.stop(5)
    assert RequestLog.objects.count() == 20


def test_the_ledgers_connection_commits_to_disk_before_it_says_so(writers, monkeypatch):
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's setting")
    seen = []

    move = WriterMark.move

    def curious(mark, transaction):
        raw = connection.connection
        seen.append(raw.execute("PRAGMA synchronous").fetchone()[0])
        seen.append(raw.execute("PRAGMA journal_mode").fetchone()[0])
        return move(mark, transaction)

    monkeypatch.setattr(WriterMark, "move", curious)
    writer = writers()

    async def main():
        for _ in range(3):
            # A group of reservations alone, which need not wait for the disk.
            writer.release(uuid.uuid4())
            await writer.written()
            await put_and_wait(writer, ledger_row())

    run(main())
    assert seen == [2, "wal"] * 3


def test_an_error_that_nobody_foresaw_is_an_outage_and_no_loss(writers):
    class Odd(LedgerWriter):
        failures = 2

        def _write(self, group):
            if self.failures:
                self.failures -= 1
                raise ValueError("something odd")
            super()._write(group)

    run(put_and_wait(writers(Odd), ledger_row("1")))
    assert request_ids() == ["1"]


def test_a_connection_that_cannot_even_be_closed_is_replaced(writers, monkeypatch):
    class Stuck(LedgerWriter):
        failures = 1

        def _write(self, group):
            if self.failures:
                self.failures -= 1
                connection.close()
                monkeypatch.setattr(connection, "_close", self._fail, raising=False)
                raise OperationalError("gone")
            monkeypatch.undo()
            super()._write(group)

        @staticmethod
        def _fail():
            raise DatabaseError("cannot close")

    run(put_and_wait(writers(Stuck), ledger_row("1")))
    assert request_ids() == ["1"]
