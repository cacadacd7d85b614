"""Months that are over are summed once; what looks back a year sees the same with and without."""

import json
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError
from django.db import connection

from keys.held_limits import HeldLimit, Subject
from keys.ledger import month_totals
from keys.ledger.check import month_differences
from keys.ledger.closed_days import ClosedDays
from keys.ledger.engine import group_transaction
from keys.ledger.persons import erase_persons
from keys.ledger.totals import ADDED
from keys.ledger.writer import LedgerWriter
from keys.models import DURATION_COUNTS, DayTotal, MonthTotal, TeamMonthTotal, TeamTotal
from keys.reports.limit_use import read_use
from keys.reports.month_report import lines_of_team, month_report
from keys.reports.periods import use_report
from keys.reports.usage import TeamSumsEver
from keys.reports.usage_lines import usage_lines
from keys.request_scopes import BudgetScope
from keys.scopes import HolderKind
from tests.keys.factories import ledger_row
from tests.keys.test_commands import ran

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = date(2027, 5, 10)
NOON = datetime(2027, 5, 10, 12, tzinfo=UTC)


def total(day: date, **fields: object) -> DayTotal:
    values = {"key_id": 1, "key_name": "laptop", "model": "@cf/a", "endpoint": "chat"}
    counts = {"requests": 1, DURATION_COUNTS[5]: 1}
    return DayTotal.objects.create(day=day, **{**values, **counts, **fields})


def a_year() -> None:
    """Of two keys and eight models, with a month of which nothing is known."""
    for ago in range(1, 365, 9):
        day = TODAY - timedelta(days=ago)
        if day.month != 12:
            total(day, key_id=ago % 2 + 1, model=f"@cf/{ago % 8}", cost_nano_usd=ago * 10**6)


def make_all(today: date = TODAY) -> list[date]:
    made = []
    while month := month_totals.make_next(today):
        made.append(month)
    return made


def written(row_day: datetime) -> None:
    """A row of that day, through a ledger on whose clock it is NOON."""
    writer = LedgerWriter(clock=NOON.timestamp)
    writer.start()
    writer.put_nowait(ledger_row(started_at=row_day.timestamp(), key_id=1, model="@cf/a"))
    assert writer.stop(20)


def test_each_month_that_is_over_for_some_days_is_made_once() -> None:
    for day in (date(2027, 2, 27), date(2027, 2, 28), date(2027, 4, 30), date(2027, 5, 1)):
        total(day, prompt_tokens=10)
    assert make_all(date(2027, 5, 3)) == [date(2027, 2, 1)]
    assert make_all(date(2027, 5, 4)) == [date(2027, 4, 1)]
    assert make_all(date(2027, 5, 31)) == []
    of_february = MonthTotal.objects.get(day=date(2027, 2, 1))
    assert (of_february.requests, of_february.prompt_tokens) == (2, 20)


@pytest.mark.parametrize("by", ["model", "key"])
def test_a_years_report_is_the_same_from_months_as_from_days(by: str) -> None:
    a_year()
    begin, end = date(2026, 6, 1), TODAY + timedelta(days=1)

    def told() -> tuple[object, ...]:
        report = use_report(begin, end, "cost", by, by_month=True)
        series = []
        for one in report.series:
            months = {day.replace(day=1) for day, amount in one.by_day.items() if amount}
            series.append((one.name, sorted(months), one.total))
        return report.sums, report.tops, series, report.whole_ms

    of_days = told()
    assert len(make_all()) == 11
    assert told() == of_days
    # And with one of them missing in the middle.
    month_totals.forget([date(2026, 10, 1)])
    assert told() == of_days
    assert sum(spans.count() for spans in month_totals.spans(begin, end)) < DayTotal.objects.count()


def test_a_row_that_comes_late_takes_its_month_away_until_it_is_made_anew() -> None:
    total(date(2027, 3, 5))
    total(date(2027, 4, 5))
    make_all()
    written(NOON - timedelta(days=60))
    # The writer's own sweep may have come to it already.
    make_all()
    assert sum(MonthTotal.objects.values_list("requests", flat=True)) == 3
    assert DayTotal.objects.get(day=date(2027, 3, 11)).requests == 1


def test_a_row_in_time_leaves_all_months_as_they_are() -> None:
    total(date(2027, 3, 5))
    make_all()
    before = list(MonthTotal.objects.values_list("pk", flat=True))
    written(NOON)
    assert list(MonthTotal.objects.values_list("pk", flat=True)) == before


def test_the_ledger_makes_what_is_due() -> None:
    total(date(2027, 3, 5))
    written(NOON)
    assert list(MonthTotal.objects.values_list("day", flat=True)) == [date(2027, 3, 1)]


def test_a_month_that_differs_from_its_days_is_found_and_made_anew() -> None:
    written(NOON - timedelta(days=60))
    make_all()
    assert "0 differences" in ran("check_ledger")[0]
    MonthTotal.objects.update(refused_tokens=7)
    with pytest.raises(CommandError, match="1 totals differ"):
        ran("check_ledger")
    [difference] = json.loads(ran("check_ledger", "--json", "--repair")[0])["differences"]
    assert (difference["day"], difference["field"]) == ("2027-03-01", "refused_tokens")
    make_all()
    assert "0 differences" in ran("check_ledger")[0]


def test_the_repair_of_a_day_reaches_its_month() -> None:
    written(NOON - timedelta(days=60))
    DayTotal.objects.update(requests=5)
    make_all()
    ran("check_ledger", "--repair")
    make_all()
    assert MonthTotal.objects.get().requests == 1
    assert "0 differences" in ran("check_ledger")[0]


def test_the_migration_makes_the_months_that_are_over() -> None:
    this_month = datetime.now(UTC).date().replace(day=1)
    for day in (date(2026, 1, 3), date(2026, 1, 9), date(2026, 3, 1), this_month):
        total(day, cost_nano_usd=5)
    migration = import_module("keys.migrations.0006_month_totals")
    with connection.schema_editor() as editor:
        migration.make_months(apps, editor)
    by_migration = {m.day: [getattr(m, name) for name in ADDED] for m in MonthTotal.objects.all()}
    assert sorted(by_migration) == [date(2026, 1, 1), date(2026, 3, 1)]
    MonthTotal.objects.all().delete()
    make_all(datetime.now(UTC).date())
    assert by_migration == {
        m.day: [getattr(m, name) for name in ADDED] for m in MonthTotal.objects.all()
    }


def of_team(day: date, **fields: object) -> None:
    """A total of a day, and the same by team and person."""
    names = {
        "key_id": 1,
        "key_name": "laptop",
        "owner_id": 3,
        "owner_name": "ada",
        "model": "@cf/a",
    }
    sums = {"requests": 1, "prompt_tokens": 7, "cost_nano_usd": 10**6 + day.toordinal()}
    total(day, **names, **sums)
    team = {"team_id": 5, "team_name": "research", "user": "zoe"}
    TeamTotal.objects.create(day=day, **{**team, **names, **sums, **fields})


def a_year_of_a_team() -> None:
    for ago in range(1, 365, 9):
        day = TODAY - timedelta(days=ago)
        name = "lab" if ago > 200 else "research"
        of_team(day, team_name=name, user="zoe" if ago % 2 else "", model=f"@cf/{ago % 3}")


def told_of_teams() -> list[Any]:
    """What limits, reports, `/metrics` and the dashboard know of the team and its persons."""
    begin, end = date(2026, 6, 1), TODAY + timedelta(days=1)
    kinds: list[tuple[HolderKind, int, str]] = [
        ("team", 5, ""),
        ("user", 1, "zoe"),
        ("user", 1, ""),
    ]
    told: list[Any] = []
    for kind, holder, user in kinds:
        for patterns in ((), ("@cf/1",)):
            subject = Subject(kind, holder, "usd", "total", patterns)
            limit = HeldLimit(subject, 10**12)
            told.append(read_use([limit], NOON, user)[0].used)
            scope = BudgetScope(kind, holder, (limit,), user)
            with group_transaction() as transaction:
                days, since = ClosedDays().read(scope, date.min, TODAY, transaction)
            told.append((since, sorted((day, sorted(of.items())) for day, of in days.items())))
    for by in (["team"], ["month", "user"], ["team", "model"]):
        told.append(usage_lines(begin, TODAY, by, {}))
    told += [month_report(date(2027, 2, 1), by) for by in ("team", "user")]
    told += [lines_of_team(5, date(2027, 2, 1)), TeamSumsEver().read(NOON)]
    report = use_report(begin, end, "cost", "team", by_month=True)
    told += [report.tops["team"], [(one.name, one.total) for one in report.series]]
    return told


def test_what_teams_and_persons_used_is_the_same_from_months_as_from_days() -> None:
    a_year_of_a_team()
    of_days = told_of_teams()
    make_all()
    assert TeamMonthTotal.objects.count() < TeamTotal.objects.count()
    assert told_of_teams() == of_days
    month_totals.forget([date(2026, 10, 1)])
    assert told_of_teams() == of_days
    # As after an update: one kind is made before the other.
    TeamMonthTotal.objects.all().delete()
    assert told_of_teams() == of_days


def test_a_teams_month_goes_with_a_late_row_and_is_made_anew() -> None:
    of_team(date(2027, 3, 5))
    make_all()
    writer = LedgerWriter(clock=NOON.timestamp)
    writer.start()
    late = (NOON - timedelta(days=60)).timestamp()
    row = ledger_row(started_at=late, key_id=1, model="@cf/a", team_id=5, team_name="research")
    writer.put_nowait(row)
    assert writer.stop(20)
    make_all()
    assert sum(TeamMonthTotal.objects.values_list("requests", flat=True)) == 2


def test_a_teams_month_that_differs_from_its_days_is_found_and_made_anew() -> None:
    of_team(date(2027, 3, 5))
    make_all()
    TeamMonthTotal.objects.update(cost_nano_usd=7)
    [difference] = month_differences(date(2027, 3, 1))
    assert (difference.field, difference.total) == ("cost_nano_usd", 7)
    assert difference.rows == TeamTotal.objects.get().cost_nano_usd
    month_totals.forget([date(2027, 3, 1)])
    make_all()
    assert month_differences(date(2027, 3, 1)) == []


def test_erasing_an_owner_leaves_no_person_in_a_month() -> None:
    of_team(date(2027, 3, 5))
    make_all()
    erase_persons(3, "erased-3")
    assert not TeamMonthTotal.objects.filter(user="zoe").exists()
    make_all()
    month = TeamMonthTotal.objects.get()
    assert (month.user, month.owner_name, month.requests) == ("", "erased-3", 1)
