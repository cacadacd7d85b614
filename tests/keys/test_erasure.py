"""Who wants to be forgotten is; what was used, and by whose key, stays."""

import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from alerts import store
from alerts.findings import Finding, Holder
from alerts.models import Alert, Delivery
from keys.key_history import note_change, note_made
from keys.log import erasure
from keys.models import (
    CapturedText,
    DayTotal,
    Key,
    Limit,
    Membership,
    MonthTotal,
    Raise,
    RequestLog,
    Team,
    TeamTotal,
)
from tests.keys.factories import issued, log_row, user
from tests.keys.member.conftest import signed_in

pytestmark = pytest.mark.django_db

DAY = datetime(2027, 1, 1, tzinfo=UTC)
NAMES = ("carol", "Carol", "Example", "laptop", "secret plan", "192.0.2.7", "carols-app")


def erase(name: str = "carol", *words: str) -> str:
    out = io.StringIO()
    call_command("erase_owner", name, *words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.fixture
def carol() -> Any:
    carol = user(
        "carol", first_name="Carol", last_name="Example", email="carol@example.com", is_staff=True
    )
    carol.set_password("a password")
    carol.save()
    key, _ = issued("carol's laptop", owner=carol, notes="secret plan")
    for number in range(3):
        log_row(
            f"asked {number}",
            started_at=DAY,
            key_id=key.pk,
            key_name=key.name,
            owner_id=carol.pk,
            owner_name="carol",
            user="carol",
            client_ip="192.0.2.7",
            user_agent="carols-app/1",
            session="carol's run",
            agent="carol's agent",
            cost_nano_usd=5,
        )
    for totals in (DayTotal, MonthTotal):
        totals.objects.create(
            day=date(2027, 1, 1),
            key_id=key.pk,
            key_name=key.name,
            owner_id=carol.pk,
            owner_name="carol",
            model="m",
            endpoint="chat",
            cost_nano_usd=15,
        )
    for user_, team_id in (("carol", 4), ("", 4), ("carol's mother", 4), ("carol", 0)):
        TeamTotal.objects.create(
            day=date(2027, 1, 1),
            team_id=team_id,
            team_name="research" if team_id else "",
            key_id=key.pk,
            key_name=key.name,
            owner_id=carol.pk,
            owner_name="carol",
            user=user_,
            cost_nano_usd=5,
        )
    CapturedText.objects.create(
        started_at=DAY,
        request_id="asked 0",
        key_id=key.pk,
        asked="I am Carol",
        asked_characters=10,
        answered="Hello Carol",
        answered_characters=11,
    )
    note_made(key, carol.pk, "Made by its owner.")
    note_change(key, carol.pk, "Name: laptop → carol's laptop.")
    note_change(key, carol.pk, "Budget per day (USD): 5 → 7.")
    team = Team.objects.create(name="research")
    Membership.objects.create(user=carol, team=team)
    for kind, holder in (("key", key.pk), ("user", key.pk), ("owner", carol.pk), ("team", team.pk)):
        limited = {"holder_kind": kind, "holder_id": holder, "what": "requests", "window": "day"}
        Limit.objects.create(**limited, amount=5)
        until = timezone.now() + timedelta(days=1)
        Raise.objects.create(**limited, plus=1, until=until, why="for Carol", made_by=carol)
    told: Any = [{"added": {"name": "member", "object": "carol"}}]
    LogEntry.objects.log_actions(carol.pk, [team], CHANGE, told, single_object=True)
    return carol


def everything_kept() -> str:
    users = get_user_model().objects
    totals = (DayTotal.objects, MonthTotal.objects, TeamTotal.objects)
    tables = (users, RequestLog.objects, *totals, LogEntry.objects)
    kept = [str(list(table.values())) for table in tables]
    return " ".join(
        [*kept, str(list(CapturedText.objects.values())), str(list(Key.objects.values()))]
    )


def test_no_name_is_left_and_every_sum_is(carol: Any) -> None:
    issued("somebody else's", owner=user("bob"))
    of_bob = {"key_name": "bob's", "owner_id": carol.pk + 9, "owner_name": "bob"}
    log_row("of bob", started_at=DAY, client_ip="192.0.2.8", **of_bob)
    assert "3 rows" in erase("carol", "--yes")
    left = everything_kept()
    assert not [name for name in NAMES if name in left]
    new_name = f"erased-{carol.pk}"
    rows = RequestLog.objects.filter(owner_id=carol.pk)
    assert [row.owner_name for row in rows] == [new_name] * 3
    assert {row.key_name for row in rows} == {f"key {rows[0].key_id}"}
    assert sum(row.cost_nano_usd or 0 for row in rows) == 15
    assert DayTotal.objects.get().cost_nano_usd == MonthTotal.objects.get().cost_nano_usd == 15
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        *("Made by its owner.", "", "Budget per day (USD): 5 → 7.", "")
    ]
    assert not Membership.objects.exists()
    held = [list(rows.objects.values_list("holder_kind")) for rows in (Limit, Raise)]
    assert held == [[("team",)]] * 2
    team = TeamTotal.objects.get()
    assert (team.team_name, team.user, team.cost_nano_usd) == ("research", "", 15)
    assert (team.owner_name, team.key_name) == (new_name, f"key {team.key_id}")
    bob = RequestLog.objects.get(request_id="of bob")
    assert (bob.owner_name, bob.client_ip) == ("bob", "192.0.2.8")


def test_nothing_of_the_account_lets_anybody_in(carol: Any) -> None:
    erase("carol", "--yes")
    carol.refresh_from_db()
    assert not (carol.is_active or carol.is_staff or carol.is_superuser)
    assert not carol.has_usable_password()
    assert Key.objects.get(owner=carol).revoked_at is not None


def test_what_came_meanwhile_goes_the_second_time(
    carol: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "BATCH_ROWS", 2)
    erase("carol", "--yes")
    log_row("late", started_at=timezone.now(), owner_id=carol.pk, owner_name="carol")
    erase(f"erased-{carol.pk}", "--yes")
    assert "carol" not in everything_kept()


def test_it_is_done_for_good_so_it_is_asked_for_twice(carol: Any) -> None:
    with pytest.raises(CommandError, match="Say --yes"):
        erase("carol")
    assert "carol" in everything_kept()


def test_some_accounts_stay(carol: Any) -> None:
    get_user_model().objects.create_superuser("operator")
    for name, says in (("nobody", "no such account"), ("operator", "nobody else is a superuser")):
        with pytest.raises(CommandError, match=says):
            erase(name, "--yes")


# --- In the admin -----------------------------------------------------------------------------


@pytest.fixture
def operator() -> Any:
    return signed_in(user("operator", is_staff=True, is_superuser=True))


def test_an_account_on_record_is_not_deleted_and_the_page_says_what_to_do(
    operator: Any, carol: Any
) -> None:
    bob = user("bob")
    issued("of bob", owner=bob)
    for account in (carol, bob):
        page = reverse("admin:auth_user_delete", args=[account.pk])
        for response in (
            operator.get(page, follow=True),
            operator.post(page, {"post": "yes"}, follow=True),
        ):
            assert response.redirect_chain == [(f"/admin/auth/user/{account.pk}/change/", 302)]
            assert "Make the account inactive instead" in response.content.decode()
    assert get_user_model().objects.filter(username__in=["carol", "bob"]).count() == 2


def test_who_may_delete_nobody_is_told_nothing_of_anybody(carol: Any) -> None:
    clerk = signed_in(user("clerk", is_staff=True))
    page = clerk.get(reverse("admin:auth_user_delete", args=[carol.pk]), follow=True)
    assert page.status_code == 403 and "on record" not in page.content.decode()


def test_an_account_that_did_nothing_may_be_deleted(operator: Any) -> None:
    page = reverse("admin:auth_user_delete", args=[user("typo").pk])
    assert "Are you sure" in operator.get(page).content.decode()
    operator.post(page, {"post": "yes"})
    assert not get_user_model().objects.filter(username="typo").exists()


def test_many_accounts_are_made_inactive_at_once_but_never_one_s_own(
    operator: Any, carol: Any
) -> None:
    accounts = get_user_model().objects.all()
    page = reverse("admin:auth_user_changelist")
    assert "delete_selected" not in operator.get(page).content.decode()
    form = {"action": "make_inactive", "_selected_action": [each.pk for each in accounts]}
    response = operator.post(page, form, follow=True)
    assert "2 accounts made inactive." in response.content.decode()
    assert {each.username: each.is_active for each in accounts.all()} == {
        "ada": False,
        "carol": False,
        "operator": True,
    }
    assert LogEntry.objects.filter(object_id=str(carol.pk), user__username="operator").exists()


def test_alerts_and_mails_about_the_person_go_too(carol: Any, settings: Any) -> None:
    settings.ALERT_WEBHOOKS, settings.EMAIL_URL = [], "smtp://mail"
    key = Key.objects.get()
    own = Holder("key", "carol's laptop", key.pk)
    team = Holder("team", "research", 1)
    for holder in (own, Holder("owner", "carol", carol.pk), team):
        store.tell(Finding("limit", f"limit:{holder.kind}", "80%", holder, mail_to=(carol.email,)))
    store.acknowledge(Alert.objects.all(), "carol")
    erase("carol", "--yes")
    assert [alert.holder_kind for alert in Alert.objects.all()] == ["team"]
    assert Alert.objects.get().acknowledged_by == erasure.erased_name(carol.pk)
    assert not Delivery.objects.exists()
