"""Totals by Cloudflare account, and of waiting: they agree with the rows."""

import asyncio
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.ledger import check
from keys.ledger.writer import LedgerWriter
from keys.models import AccountTotal
from keys.reports.usage import WaitsEver
from tests.keys.factories import Clock, ledger_row

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC).replace(hour=12).timestamp()
TODAY = datetime.fromtimestamp(NOW, UTC).date()


@pytest.fixture
def write():
    writer = LedgerWriter(clock=Clock(NOW))
    writer.start()

    def write(*rows):
        async def main():
            loop = asyncio.get_running_loop()
            await asyncio.gather(*(writer.put(row, loop) for row in rows))

        asyncio.run(asyncio.wait_for(main(), 30))

    yield write
    writer.stop(5)


def of(account="", waited_ms=None, **fields):
    usual = {"model": "@cf/meta/llama", "cost_nano_usd": 100, "neurons_micro": 7}
    return ledger_row(
        account=account, waited_ms=waited_ms, **{"started_at": NOW, **usual, **fields}
    )


def told(day=TODAY):
    totals = AccountTotal.objects.filter(day=day).order_by("account")
    fields = ("account", "requests", "errors", "cost_nano_usd", "neurons_micro")
    return list(totals.values_list(*fields, "waited", "waited_ms"))


def test_rows_of_an_account_or_that_waited_are_in_totals_that_are_checked(write):
    write(of("second", started_at=NOW - 86_400), of(), of(waited_ms=400))
    write(of("main"), of("second", 1500, status=500), of("second", 500))
    expected = [
        ("", 1, 0, 100, 7, 1, 400),
        ("main", 1, 0, 100, 7, 0, 0),
        ("second", 2, 1, 200, 14, 2, 2000),
    ]
    assert told() == expected
    assert check.differences(TODAY) == []
    AccountTotal.objects.filter(account="second", day=TODAY).update(waited_ms=1)
    AccountTotal.objects.filter(account="main").delete()
    found = {(each.place.account, each.field) for each in check.differences(TODAY)}
    assert found >= {("second", "waited_ms"), ("main", "requests")}
    check.repair(TODAY)
    assert (check.differences(TODAY), told()) == ([], expected)


def test_the_dashboard_and_metrics_tell_who_waited(write):
    write(of(waited_ms=400), of(waited_ms=600), of("second", 2000), of())
    assert WaitsEver().read() == {("@cf/meta/llama",): {"waited": 3, "waited_ms": 3000}}
    operator = Client()
    operator.force_login(User.objects.create(username="op", is_staff=True, is_superuser=True))
    page = operator.get("/admin/").content.decode()
    assert "Waited today" in page
    assert "1.0 s on average" in page
