"""What holds for a group's transaction, whichever engine; PostgreSQL also runs in
tests/keys/limits/test_limits_across_workers.py."""

import uuid
from datetime import UTC, date, datetime

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from keys.ledger.engine import group_transaction
from keys.ledger.transaction import Insert
from keys.models import LedgerMark, Reservation

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2027, 5, 10, 12, tzinfo=UTC)
MARKS = Insert("keys_ledgermark", ("writer", "group_number", "written_at"))


@pytest.fixture(autouse=True)
def connected():
    connection.ensure_connection()


def insert_marks(group, *numbers, now=NOW):
    writers = {number: uuid.uuid4() for number in numbers}
    group.insert(
        MARKS,
        [(group.id(writer), number, group.moment(now)) for number, writer in writers.items()],
    )
    return writers


def test_what_it_writes_is_what_the_orm_reads():
    for now in (NOW, NOW.replace(microsecond=120)):
        with group_transaction() as group:
            writers = insert_marks(group, 1, 2, now=now)
        assert {
            mark.writer: (mark.group_number, mark.written_at)
            for mark in LedgerMark.objects.filter(pk__in=writers.values())
        } == {writer: (number, now) for number, writer in writers.items()}


@pytest.mark.parametrize("fraction", [0.0, 1e-7, 0.00012, 0.5, 1 - 4e-7, 1 - 6e-7])
def test_seconds_of_the_clock_are_the_moment_that_datetime_makes_of_them(fraction):
    epoch_s = NOW.timestamp() + fraction
    with group_transaction() as group:
        made = group.moment_at(epoch_s)
        assert made == group.moment(datetime.fromtimestamp(epoch_s, UTC))


def test_days_are_what_the_orm_reads():
    names = ("id", "writer", "key_id", "owner_id", "day", "cost_nano_usd", "neurons_micro")
    into = Insert("keys_reservation", (*names, "expires_at"))
    one = uuid.uuid4()
    with group_transaction() as group:
        id, day = group.id(one), group.day(date(2027, 5, 10))
        group.insert(into, [(id, id, 1, None, day, 2, 3, group.moment(NOW))])
    stored = Reservation.objects.get(pk=one, day=date(2027, 5, 10))
    assert (stored.owner_id, stored.day, stored.expires_at) == (None, date(2027, 5, 10), NOW)


def test_each_question_gets_its_own_rows_and_each_change_its_count():
    with group_transaction() as group:
        insert_marks(group, 1, 2)
        insert_marks(group, 2)
        numbers = "SELECT group_number FROM keys_ledgermark WHERE group_number = ?"
        assert group.select([(numbers, (1,)), (numbers, (7,)), (numbers, (2,))]) == [
            [(1,)],
            [],
            [(2,), (2,)],
        ]
        add = "UPDATE keys_ledgermark SET group_number = group_number + ? WHERE group_number = ?"
        assert group.count_changed(add, (5, 2)) == 2
        group.change(add, [(1, 7), (1, 8)])
    assert sorted(LedgerMark.objects.values_list("group_number", flat=True)) == [1, 9, 9]


def test_an_error_takes_back_all_of_it_and_the_connection_goes_on():
    with pytest.raises(ZeroDivisionError), group_transaction() as group:
        insert_marks(group, 1)
        group.flush()
        LedgerMark.objects.create(writer=uuid.uuid4(), group_number=2, written_at=NOW)
        raise ZeroDivisionError
    with (
        pytest.raises((DataError, IntegrityError)),
        connection.wrap_database_errors,
        group_transaction() as group,
    ):
        insert_marks(group, 3)
        insert_marks(group, None)
    assert not LedgerMark.objects.exists()
    assert connection.get_autocommit() and not connection.in_atomic_block
    with group_transaction() as group:
        insert_marks(group, 4)
    assert LedgerMark.objects.get().group_number == 4


def test_the_orm_works_within_it_with_locks_and_transactions_of_its_own():
    with group_transaction() as group:
        writers = insert_marks(group, 1)
        group.flush()
        with pytest.raises(IntegrityError), transaction.atomic():
            LedgerMark.objects.create(writer=writers[1], group_number=2, written_at=NOW)
        LedgerMark.objects.update_or_create(writer=writers[1], defaults={"group_number": 3})
    assert LedgerMark.objects.get().group_number == 3


def test_a_transaction_without_statements_is_none():
    with group_transaction():
        pass
    assert connection.get_autocommit()
