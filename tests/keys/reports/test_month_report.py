"""The report of a month: its lines add up to all use, to the nano-dollar, however it is split."""

import csv
import io
import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError
from django.db.models import Sum
from django.test import Client
from django.urls import reverse

from keys.ledger import month_totals
from keys.ledger.rows import LedgerRow
from keys.ledger.writer import LedgerWriter
from keys.models import DayTotal, TeamTotal
from keys.reports.month_report import BY, month_report
from keys.reports.periods import use_report
from tests.keys.factories import ledger_row, user
from tests.keys.operators.test_admin import _read, signed_in, texts
from tests.keys.test_commands import ran

MAY, JUNE = date(2027, 5, 1), date(2027, 6, 1)
PAGE, CSV = "admin:keys_requestlog_report", "admin:keys_requestlog_report_csv"


def rows(count: int) -> Iterator[LedgerRow]:
    """As three teams, people behind keys, and keys of nobody leave them; a few are of June."""
    dice = random.Random(17)
    teams = ((None, ""), (1, "research"), (2, "law"), (3, "=physics"))
    for number in range(count):
        team_id, team_name = dice.choice(teams)
        day = dice.choice([1, 9, 31, 32])
        moment = datetime(2027, 5 + day // 32, day % 32 or 1, 12, tzinfo=UTC)
        key_id = dice.choice([1, 2, None])
        yield ledger_row(
            str(number),
            started_at=moment.timestamp(),
            key_id=key_id,
            key_name=f"key {key_id}" if key_id else "",
            owner_id=key_id,
            owner_name=f"owner {key_id}" if key_id else "",
            team_id=team_id,
            team_name=team_name,
            user=dice.choice(["", "", "zoe", "yan"]),
            model=dice.choice(["@cf/a", "@cf/b", ""]),
            prompt_tokens=dice.randrange(5_000),
            cached_tokens=dice.choice([None, 12]),
            cost_nano_usd=dice.choice([None, dice.randrange(10**9)]),
            neurons_micro=dice.randrange(10**7),
            status=dice.choice([200, 200, 502, 499]),
        )


@pytest.mark.django_db(transaction=True)
def test_lines_add_up_to_all_use_whatever_they_are_of() -> None:
    writer = LedgerWriter()
    writer.start()
    for row in rows(300):
        writer.put_nowait(row)
    assert writer.stop(20)
    for is_made in (False, True):
        if is_made:
            assert month_totals.make_next(date(2027, 7, 20)) == MAY
        for by in BY:
            report = month_report(MAY, by)
            whole = use_report(MAY, JUNE, "cost", "model").sums
            for name in report.total:
                said = sum(line.sums[name] for line in report.lines)
                assert said == report.total[name] == whole[name], (by, name)
            out, _ = ran("report_usage", "--month", "2027-05", "--by", by, "--format", "json")
            lines = json.loads(out)
            cost = sum(Decimal(line["cost_usd"]) for line in lines)
            assert cost == Decimal(whole["cost_nano_usd"]).scaleb(-9)
            assert sum(line["requests"] for line in lines) == whole["requests"]
            assert len({tuple(line.values()) for line in lines}) == len(lines)
        named = {line.names["team"]: line.sums for line in month_report(MAY, "team").lines}
        assert named.keys() == {None, "research", "law", "=physics"}
        of_team = TeamTotal.objects.filter(team_name="law", day__lt=JUNE)
        assert named["law"]["cost_nano_usd"] == of_team.aggregate(s=Sum("cost_nano_usd"))["s"]


def total(**fields: Any) -> None:
    values = {"day": MAY, "key_id": 1, "key_name": "laptop", "owner_id": 7, "owner_name": "ada"}
    DayTotal.objects.create(**{**values, "model": "m", "requests": 1, **fields})


@pytest.fixture
def operator(db: None) -> Client:
    return signed_in(user("operator", is_staff=True, is_superuser=True))


def test_the_page_and_its_file_say_the_same(operator: Client) -> None:
    total(cost_nano_usd=2_500_000_001, neurons_micro=1_500_000)
    total(key_id=2, owner_id=8, owner_name="=bob", cost_nano_usd=7_500_000_000)
    total(key_id=3, owner_id=0, owner_name="", cost_nano_usd=0, unpriced=1)
    page = texts(operator.get(reverse(PAGE) + "?month=2027-05&by=owner"))
    for words in (
        "May 2027 by owner",
        "ada",
        "=bob",
        "no owner",
        "10.000000001",
        "1 request of unknown",
    ):
        assert words in page
    response = operator.get(reverse(CSV) + "?month=2027-05&by=owner")
    assert 'filename="usage-2027-05-by-owner.csv"' in response["Content-Disposition"]
    lines = list(csv.DictReader(io.StringIO(async_to_sync(_read)(response))))
    # No cell begins like a formula.
    assert [line["owner"] for line in lines] == ["'=bob", "ada", ""]
    assert (lines[1]["cost_usd"], lines[1]["neurons"]) == ("2.500000001", "1.5")
    assert "Usage by month" in operator.get("/admin/").content.decode()


def test_what_there_is_not_is_this_month_by_owner(operator: Client) -> None:
    for query in ("?month=2027-13&by=x", "?month=9999-12", "?month=%00", "?by=%C3%A9", ""):
        assert "by owner" in texts(operator.get(reverse(PAGE) + query)), query


def test_who_may_not_see_the_log_sees_no_report(db: None) -> None:
    clerk = signed_in(user("clerk", is_staff=True))
    assert clerk.get(reverse(PAGE)).status_code == clerk.get(reverse(CSV)).status_code == 403
    assert "Usage by month" not in clerk.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--month", "2027-5"], "--month is '2027-5'"),
        (["--month", "May"], "--month is 'May'"),
        (["--by", "day"], "--by is 'day': it takes owner, team, key, model, user"),
        (["--format", "xml"], "--format is 'xml'"),
    ],
)
def test_what_the_command_does_not_take_is_said(db: None, options: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        ran("report_usage", *options)


def test_the_command_writes_csv_with_a_header(db: None) -> None:
    total(cost_nano_usd=5)
    out, _ = ran("report_usage", "--month", "2027-05", "--by", "key")
    header, line = out.splitlines()
    assert header.startswith("month,key,owner,key_id,owner_id,requests,")
    assert line.startswith("2027-05,laptop,ada,1,7,1,")
    assert ran("report_usage", "--month", "2027-04")[0].count("\n") == 1
