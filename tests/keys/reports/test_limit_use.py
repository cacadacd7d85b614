"""What pages and `GET /v1/key` tell of limits is what the ledger decides them by."""

import random
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest

from keys.held_limits import HOLDER_KINDS, WINDOWS_OF, HeldLimit, Subject
from keys.ledger.claims import Claim
from keys.ledger.closed_days import ClosedDays
from keys.ledger.engine import group_transaction
from keys.ledger.spending import read_spending
from keys.models import DayTotal, Limit, OwnerLimits, Reservation, Team, TeamTotal
from keys.reports.limit_use import read_use
from keys.reports.limits_in_force import limits_of_one
from keys.reports.near_limits import near_limits
from keys.request_scopes import budget_scopes, budgets_met
from keys.scopes import Limits
from tests.keys.factories import issued, user

# A Wednesday.
NOW = datetime(2027, 5, 12, 12, tzinfo=UTC)
DAYS = [date(2027, 5, 12), date(2027, 5, 10), date(2027, 5, 9), date(2027, 4, 30), date(2026, 1, 5)]
MODELS = ["@cf/a/one", "@cf/a/two", "@cf/b/one"]
# No request runs for longer.
RUNNING_SINCE = date(2027, 5, 9)
PATTERNS = [(), ("@cf/a/*",), ("@cf/a/one", "@cf/b/*")]


def fill(random):
    """Use of two keys of one owner and team, by two persons, and running requests."""
    for day in DAYS:
        for model in MODELS:
            for key_id in (1, 2):
                amounts = {
                    name: random.randrange(1, 1000)
                    for name in (
                        *("requests", "prompt_tokens", "completion_tokens"),
                        *("cost_nano_usd", "neurons_micro"),
                    )
                }
                at = {"day": day, "key_id": key_id, "owner_id": 7, "model": model}
                DayTotal.objects.create(**at, **amounts)
                person = random.choice(["carol", "dan"])
                TeamTotal.objects.create(**at, team_id=3, user=person, **amounts)
                if day < RUNNING_SINCE:
                    continue
                Reservation.objects.create(
                    id=uuid.uuid4(),
                    writer=uuid.uuid4(),
                    key_id=key_id,
                    owner_id=7,
                    team_id=3,
                    user=person,
                    model=random.choice([model, None]),
                    day=day,
                    cost_nano_usd=random.randrange(100),
                    neurons_micro=random.randrange(100),
                    tokens=random.randrange(100),
                    expires_at=NOW + timedelta(seconds=random.choice([-1, 60])),
                )


HOLDERS = {"key": 1, "owner": 7, "team": 3, "everybody": 0, "user": 1}


def every_limit():
    return [
        HeldLimit(Subject(kind, HOLDERS[kind], what, window, models), 10**6)
        for kind in HOLDER_KINDS
        for what, windows in WINDOWS_OF.items()
        for window in windows
        if window not in ("", "minute")
        for models in PATTERNS
    ]


def taken_by_the_ledger(limits):
    """What is used and reserved of each limit, as the ledger finds it for a request."""
    scopes = budgets_met(budget_scopes(limits, {}), "@cf/a/one", "carol")
    claim = Claim(
        id=uuid.uuid4(),
        scopes=scopes,
        key_id=1,
        owner_id=7,
        day=NOW.date(),
        cost_nano_usd=0,
        neurons_micro=0,
    )
    by_name = {scope.counted_as: scope for scope in scopes}
    with group_transaction() as transaction:
        spent = read_spending(by_name, [claim], NOW, ClosedDays(), transaction)
    return {
        limit.subject: spent[scope.counted_as].total(NOW.date(), limit)
        for scope in scopes
        for limit in scope.budgets
    }


@pytest.mark.django_db(transaction=True)
def test_what_is_told_is_what_the_ledger_decides_by():
    fill(random.Random(7))
    limits = every_limit()
    told = {
        use.limit.subject: use.used + use.reserved for use in read_use(limits, NOW, user="carol")
    }
    assert told == taken_by_the_ledger(limits)
    assert len(set(told.values())) > len(told) / 2


@pytest.mark.django_db
def test_what_no_table_knows_is_not_told_as_0():
    limits = [
        HeldLimit(Subject("key", 1, "requests", "minute"), 5),
        HeldLimit(Subject("key", 1, "concurrency", ""), 5),
        HeldLimit(Subject("user", 1, "usd", "day"), 5),
    ]
    assert [(use.used, use.remaining) for use in read_use(limits, NOW)] == [(None, None)] * 3


@pytest.mark.django_db
def test_a_limit_says_when_it_begins_anew():
    limits = [HeldLimit(Subject("key", 1, "usd", name), 5) for name in WINDOWS_OF["usd"]]
    assert [use.resets_at for use in read_use(limits, NOW)] == [
        datetime(2027, 5, 13, tzinfo=UTC),
        datetime(2027, 5, 17, tzinfo=UTC),
        datetime(2027, 6, 1, tzinfo=UTC),
        None,
    ]


@pytest.mark.django_db
def test_columns_and_rows_are_limits_alike():
    Limit.objects.create(
        holder_kind="key",
        holder_id=1,
        what="usd",
        window="day",
        model_patterns=["@cf/a/*"],
        amount=5,
    )
    held = limits_of_one("key", 1, Limits(daily_budget_nano_usd=9))
    assert [(limit.subject.models, limit.amount) for limit in held] == [(("@cf/a/*",), 5), ((), 9)]


@pytest.mark.django_db
def test_limits_of_every_form_and_holder_that_are_nearly_used_are_found():
    today = datetime.now(UTC).date()
    key, _ = issued(daily_budget_nano_usd=10)
    issued("revoked", daily_budget_nano_usd=1)[0].revoke()
    team = Team.objects.create(name="research")
    OwnerLimits.objects.create(owner=user("ada"), monthly_budget_nano_usd=1000)
    for kind, holder_id, models, amount in (
        ("owner", key.owner_id, ["@cf/a/*"], 11),
        ("team", team.pk, [], 12),
        ("everybody", 0, [], 9),
        ("key", key.pk, ["@cf/b/*"], 1),
    ):
        Limit.objects.create(
            holder_kind=kind,
            holder_id=holder_id,
            what="requests",
            window="day",
            model_patterns=models,
            amount=amount,
        )
    used = {"day": today, "key_id": key.pk, "owner_id": key.owner_id, "model": "@cf/a/one"}
    DayTotal.objects.create(**used, requests=10, cost_nano_usd=8)
    TeamTotal.objects.create(**used, team_id=team.pk, requests=10)
    assert [(one.name, one.what, one.percent) for one in near_limits()] == [
        ("everybody", "requests per day", 111),
        ("ada", "requests per day for @cf/a/*", 90),
        ("research", "requests per day", 83),
        ("laptop", "daily budget", 80),
    ]
