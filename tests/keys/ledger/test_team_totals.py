"""Totals by team and by the person behind a key: they agree with the rows, whatever happens."""

import asyncio
from datetime import UTC, datetime

import pytest

from keys.ledger import check
from keys.ledger.writer import LedgerWriter
from keys.log.erasure import erase_rows
from keys.models import RequestLog, TeamTotal
from tests.keys.factories import Clock, ledger_row

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2027, 5, 12, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def write():
    writer = LedgerWriter(clock=Clock(NOON))
    writer.start()

    def write(*rows):
        async def main():
            loop = asyncio.get_running_loop()
            await asyncio.gather(*(writer.put(row, loop) for row in rows))

        asyncio.run(asyncio.wait_for(main(), 30))

    yield write
    writer.stop(5)


def of(key_id=1, team_id=None, user="", started_at=NOON, **fields):
    return ledger_row(
        started_at=started_at,
        key_id=key_id,
        key_name="laptop",
        owner_id=7,
        owner_name="ada",
        team_id=team_id,
        team_name="research" if team_id else "",
        user=user,
        model="@cf/meta/llama",
        prompt_tokens=3,
        cost_nano_usd=100,
        **fields,
    )


def told():
    totals = TeamTotal.objects.order_by("day", "team_id", "user")
    return list(totals.values_list("team_id", "user", "requests", "errors", "cost_nano_usd"))


def test_each_request_with_a_team_or_a_person_is_in_one_total(write):
    write(of(), of(user="bob"), of(team_id=5), of(team_id=5, user="bob"))
    write(of(team_id=5, user="bob", status=500))
    assert told() == [(0, "bob", 1, 0, 100), (5, "", 1, 0, 100), (5, "bob", 2, 1, 200)]


def test_totals_that_differ_from_their_rows_are_found_and_repaired(write):
    yesterday = NOON - 86_400
    write(of(user="bob", started_at=yesterday), of(team_id=5, user="bob"), of(team_id=5))
    day = datetime.fromtimestamp(NOON, UTC).date()
    assert check.differences(day) == []
    TeamTotal.objects.filter(day=day, user="bob").update(cost_nano_usd=1)
    TeamTotal.objects.filter(day=day, user="").delete()
    found = check.differences(day)
    assert {(each.place.user, each.field) for each in found} >= {
        ("bob", "cost_nano_usd"),
        ("", "requests"),
    }
    check.repair(day)
    assert check.differences(day) == []
    assert told()[1:] == [(5, "", 1, 0, 100), (5, "bob", 1, 0, 100)]


def test_of_an_erased_owner_the_team_keeps_what_was_used_and_no_name(write):
    write(of(user="bob", started_at=NOON - 86_400))
    write(of(team_id=5, user="bob"), of(team_id=5, user="eve"), of(user="bob"))
    assert sum(erase_rows(7)) == 4
    assert told() == [(5, "", 2, 0, 200)]
    assert set(TeamTotal.objects.values_list("owner_name", "key_name")) == {("erased-7", "key 1")}
    assert set(RequestLog.objects.values_list("user", flat=True)) == {""}
    assert list(erase_rows(7)) and told() == [(5, "", 2, 0, 200)]
    TeamTotal.objects.create(day="2027-05-01", team_id=1)
    assert check.differences(datetime.fromtimestamp(NOON, UTC).date()) == []
