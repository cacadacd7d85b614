"""Limits of every holder, window and kind of model, told at their steps."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from alerts import store
from alerts.findings import Finding
from alerts.models import Alert
from keys.alerting import limits
from keys.alerting.limit_use import past
from keys.amounts import MICRO
from keys.held_limits import HeldLimit, Subject
from keys.limits.budget_refusals import BudgetRefusal
from keys.models import (
    DayTotal,
    Key,
    Limit,
    Membership,
    OwnerLimits,
    Raise,
    Team,
    TeamTotal,
)
from tests.keys.factories import issued, user

# A Thursday.
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TODAY = NOW.date()
MONDAY = date(2026, 11, 23)
USD = 10**9
pytestmark = pytest.mark.django_db


def used(key: Key, day: date = TODAY, model: str = "@cf/a/b", **sums: Any) -> None:
    """A day's totals, as the ledger writes them."""
    place = {"day": day, "key_id": key.pk, "owner_id": key.owner_id or 0, "model": model}
    DayTotal.objects.create(**place, endpoint="chat", **sums)


def used_in_team(team: Team, key: Key, user: str = "", day: date = TODAY, **sums: Any) -> None:
    TeamTotal.objects.create(day=day, team_id=team.pk, key_id=key.pk, user=user, **sums)


def limit(kind: str, pk: int, what: str, window: str, amount: int, *models: str) -> None:
    Limit.objects.create(
        holder_kind=kind,
        holder_id=pk,
        what=what,
        window=window,
        amount=amount,
        model_patterns=list(models),
    )


def look(now: datetime = NOW) -> list[tuple[int, str]]:
    """Level and text of what is told anew."""
    return [(each.level, each.text) for each in store.record(limits.find(now), ["limit"], now)]


def percents(found: Iterable[Finding]) -> dict[str, int]:
    return {each.holder.name: each.figures["percent"] for each in found}


def test_a_key_s_budget_is_told_at_each_step_once_a_window() -> None:
    key, _ = issued("laptop", daily_budget_nano_usd=USD)
    used(key, cost_nano_usd=79 * USD // 100)
    assert look() == []
    used(key, model="@cf/c/d", cost_nano_usd=USD // 100)
    assert look() == [
        (
            80,
            "The key laptop of ada has used 80% of its daily budget: $0.8 of $1. It begins anew on "
            "2026-11-27, 00:00 UTC.",
        )
    ]
    assert look() == []
    used(key, model="@cf/e/f", cost_nano_usd=15 * USD // 100)
    assert [level for level, _ in look()] == [95]
    used(key, model="@cf/g/h", cost_nano_usd=USD)
    ((level, text),) = look()
    assert level == 100 and "has used all of its daily budget: $1.95 of $1." in text
    assert look() == []
    tomorrow = NOW + timedelta(days=1)
    assert look(tomorrow) == []
    assert {alert.state for alert in Alert.objects.all()} == {"over"}
    used(key, day=TODAY + timedelta(days=1), cost_nano_usd=USD)
    assert [level for level, _ in look(tomorrow)] == [100]


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ("day", TODAY, TODAY - timedelta(days=1)),
        ("week", MONDAY, MONDAY - timedelta(days=1)),
        ("month", date(2026, 11, 1), date(2026, 10, 31)),
        ("total", date(2025, 1, 1), None),
    ],
)
@pytest.mark.parametrize(
    ("what", "amount", "sums"),
    [
        ("usd", USD, {"cost_nano_usd": USD * 9 // 10}),
        ("neurons", 1000 * MICRO, {"neurons_micro": 900 * MICRO}),
        ("requests", 10, {"requests": 9}),
        ("tokens", 1000, {"prompt_tokens": 500, "completion_tokens": 400}),
    ],
)
def test_every_window_of_everything(
    window: str, inside: date, outside: "date | None", what: str, amount: int, sums: dict[str, int]
) -> None:
    key, _ = issued("laptop")
    # Of some models, so that no column says it.
    limit("key", key.pk, what, window, amount, "@cf/a/*")
    if outside is not None:
        used(key, day=outside, **sums)
    used(key, model="@cf/other/model", **sums)
    assert look() == []
    past.clear()  # as another day does
    used(key, day=inside, model="@cf/a/b", **sums)
    ((level, text),) = look()
    assert level == 80 and "90%" in text and "for @cf/a/*" in text


def test_every_holder(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail"
    ada, lead = user("ada", email="ada@example.com"), user("lead", email="lead@example.com")
    team = Team.objects.create(name="research")
    Membership.objects.create(team=team, user=ada)
    Membership.objects.create(team=team, user=lead, is_lead=True)
    key, _ = issued("laptop", owner=ada)
    shared, _ = issued("webui", owner=ada)
    OwnerLimits.objects.create(owner=ada, monthly_budget_nano_usd=10 * USD)
    limit("team", team.pk, "usd", "week", 10 * USD)
    limit("everybody", 0, "requests", "day", 100)
    limit("user", shared.pk, "usd", "day", 2 * USD)
    used(key, cost_nano_usd=4 * USD, requests=60)
    used(shared, cost_nano_usd=4 * USD, requests=40)
    used_in_team(team, key, cost_nano_usd=4 * USD)
    used_in_team(team, shared, "bob", cost_nano_usd=USD)
    used_in_team(team, shared, "eve", cost_nano_usd=2 * USD)
    used_in_team(team, shared, "eve", day=MONDAY, cost_nano_usd=2 * USD)
    found = list(limits.find(NOW))
    assert percents(found) == {"ada": 80, "research": 90, "everybody": 100, "eve": 100}
    by_kind = {each.holder.kind: each for each in found}
    assert by_kind["user"].text.startswith("The user eve of the key webui of ada has used all")
    assert by_kind["team"].mail_to == ("lead@example.com",)
    assert by_kind["owner"].mail_to == by_kind["user"].mail_to == ("ada@example.com",)
    assert by_kind["everybody"].mail_to == ()


def test_a_raised_limit_is_told_of_anew_and_ends_without_a_word() -> None:
    key, _ = issued("laptop", daily_budget_nano_usd=USD)
    used(key, cost_nano_usd=USD)
    assert [level for level, _ in look()] == [100]
    until = NOW + timedelta(hours=2)
    Raise.objects.create(
        holder_kind="key",
        holder_id=key.pk,
        what="usd",
        window="day",
        plus=USD // 5,
        until=until,
        why="a demo",
        made_at=NOW,
    )
    ((level, text),) = look()
    assert level == 80 and "$1 of $1.2 (raised)" in text
    assert look(until + timedelta(minutes=1)) == []


def test_what_works_no_more_and_allows_nothing_is_silent() -> None:
    for fields in ({"revoked_at": NOW}, {"expires_at": NOW - timedelta(days=1)}):
        key, _ = issued(daily_budget_nano_usd=USD)
        Key.objects.filter(pk=key.pk).update(**fields)
        used(key, cost_nano_usd=USD)
    closed, _ = issued("closed")
    limit("key", closed.pk, "usd", "week", 0)
    limit("key", closed.pk, "requests", "minute", 1)
    used(closed, cost_nano_usd=USD, requests=50)
    limit("team", 999, "usd", "day", 1)
    assert look() == []


def test_a_refusal_is_the_end_of_a_limit_unless_there_was_room() -> None:
    key, _ = issued("laptop")
    held = HeldLimit(Subject("key", key.pk, "usd", "day"), USD)

    def tell(left: int) -> list[Finding]:
        return list(limits.refused([BudgetRefusal(held, "", TODAY, left)]))

    assert tell(USD // 2) == [], "too large a request is no news of the limit"
    (found,) = tell(USD * 15 // 100)
    assert (found.level, found.severity) == (100, "critical")
    assert "was refused a request by its daily budget, used or set aside to 85%" in found.text
    store.tell(found, NOW)
    Key.objects.filter(pk=key.pk).update(daily_budget_nano_usd=USD)
    used(key, cost_nano_usd=USD * 85 // 100)
    assert look() == [], "who was told of the end is not told of 80% after it"
    assert Alert.objects.get().state == "open"
    assert "all of its" in next(iter(tell(0))).text
