"""A team's page, and what its leads may do with members' keys: no way over its border."""

from datetime import UTC, date
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from keys import key_text
from keys.member import team_page
from keys.models import Key, Limit, Membership, OwnerLimits, Team, TeamTotal
from tests.keys.factories import issued, user
from tests.keys.member.conftest import signed_in
from tests.keys.member.test_keys import shown_key, texts

pytestmark = pytest.mark.django_db
PAGES = ("", "limits/", "rotate/", "revoke/")


def joined(name: str, team: Team, **fields: Any) -> Any:
    account = user(name)
    Membership.objects.create(user=account, team=team, **fields)
    return account


@pytest.fixture
def research() -> Team:
    return Team.objects.create(name="research")


@pytest.fixture
def lead(research: Team) -> Client:
    return signed_in(joined("lena", research, is_lead=True))


@pytest.fixture
def key(research: Team) -> Key:
    """Of bob, who is in the team."""
    return issued("bobs", owner=joined("bob", research))[0]


def url(key: Key, what: str = "") -> str:
    return f"/team/keys/{key.pk}/{what}"


def history() -> str:
    entries = LogEntry.objects.order_by("pk").values_list("user__username", "change_message")
    return " ".join(f"{name}: {message}" for name, message in entries)


def test_a_lead_makes_limits_rotates_and_revokes(lead: Client, key: Key, research: Team) -> None:
    made = lead.post(f"/team/members/{key.owner_id}/keys/new/", {"name": "for bob"})
    text = shown_key(made)
    assert "The new key of bob" in texts(made) and "no-store" in made["Cache-Control"]
    new = Key.objects.get(name="for bob")
    assert new.owner == key.owner
    assert new.secrets.get().sha256 == key_text.digest(text).hex()
    lead.post(url(new, "limits/"), {"daily_budget_nano_usd": "2"})
    rotated = shown_key(lead.post(url(new, "rotate/"), {"overlap": "0s"}))
    lead.post(url(new, "revoke/"))
    new.refresh_from_db()
    assert rotated != text
    assert new.daily_budget_nano_usd == 2 * 10**9 and new.revoked_at is not None
    for words in ("Made by", "Limited by", "Rotated by", "Revoked by"):
        assert f"lena: {words} a lead of its owner's team" in history()
    page = texts(lead.get("/team/"))
    assert "bobs" in page and "1 key no longer works" in page


def strangers(research: Team) -> dict[str, Any]:
    """Everybody whom the keys of the team are none of the business of."""
    law = Team.objects.create(name="law")
    left = joined("was-lead", research, is_lead=True)
    Membership.objects.filter(user=left).delete()
    return {
        "a lead of another team": joined("lea", law, is_lead=True),
        "a plain member": joined("mia", research),
        "who left": left,
        "in no team": user("nobody"),
        "an operator who is not in it": user("root", is_staff=True, is_superuser=True),
    }


def test_nobody_else_sees_or_changes_anything(research: Team, key: Key) -> None:
    new = f"/team/members/{key.owner_id}/keys/new/"
    for who, account in strangers(research).items():
        browser = signed_in(account)
        for path in (new, *(url(key, what) for what in PAGES)):
            assert browser.get(path).status_code == 404, (who, path)
            if path != url(key):
                form = {"name": "mine", "overlap": "0s", "daily_budget_nano_usd": "1"}
                assert browser.post(path, form).status_code == 404, (who, path)
        # What is not there looks the same as what is somebody else's.
        known, unknown = browser.get(url(key)), browser.get("/team/keys/987654/")
        assert texts(known) == texts(unknown), who
    key.refresh_from_db()
    assert (key.revoked_at, key.daily_budget_nano_usd, key.secrets.count()) == (None, None, 1)
    assert Key.objects.count() == 1 and not LogEntry.objects.exists()


def test_a_lead_whose_account_ends_is_out(research: Team, lead: Client, key: Key) -> None:
    user("lena").__class__.objects.filter(username="lena").update(is_active=False)
    assert lead.post(url(key, "revoke/")).status_code == 302
    key.refresh_from_db()
    assert key.revoked_at is None


def test_keys_go_with_who_leaves_and_come_with_who_joins(
    lead: Client, key: Key, research: Team
) -> None:
    assert lead.get(url(key)).status_code == 200
    law = Team.objects.create(name="law")
    Membership.objects.filter(user=key.owner).update(team=law)
    assert lead.get(url(key)).status_code == 404
    assert signed_in(joined("lea", law, is_lead=True)).get(url(key)).status_code == 200


def test_a_lead_keeps_to_the_team_s_limits_and_to_the_operators_rules(
    lead: Client, key: Key, research: Team, settings: Any
) -> None:
    Limit.objects.create(
        holder_kind="team", holder_id=research.pk, what="usd", window="day", amount=5 * 10**9
    )
    new = f"/team/members/{key.owner_id}/keys/new/"
    refused = lead.post(new, {"name": "big", "daily_budget_nano_usd": "6"})
    assert "The whole team has 5" in texts(refused)
    settings.MEMBER_KEY_LIMITS = ["rpm=60"]
    refused = lead.post(new, {"name": "big", "requests_per_minute": "61"})
    assert "Enter at most 60." in texts(refused)
    shown_key(lead.post(new, {"name": "fine", "daily_budget_nano_usd": "5"}))
    fine = Key.objects.get(name="fine")
    assert (fine.daily_budget_nano_usd, fine.requests_per_minute) == (5 * 10**9, 60)
    # As members, a lead makes limits stricter and not looser.
    refused = lead.post(url(fine, "limits/"), {"requests_per_minute": "61"})
    assert "Enter at most 60." in texts(refused)
    OwnerLimits.objects.create(owner=key.owner, max_keys=2)
    assert "has as many active keys" in texts(lead.get(new))
    assert lead.post(new, {"name": "one more"}).status_code == 302
    assert Key.objects.count() == 2


def test_no_key_is_made_for_an_inactive_account_and_the_shared_key_is_nobody_s(
    lead: Client, key: Key
) -> None:
    static = Key.objects.create(name="shared", is_static=True, owner=key.owner)
    assert lead.get(url(static)).status_code == 404
    user("bob").__class__.objects.filter(username="bob").update(is_active=False)
    assert lead.get(f"/team/members/{key.owner_id}/keys/new/").status_code == 404
    assert lead.get(url(key, "rotate/")).status_code == 404
    assert "inactive" in texts(lead.get("/team/"))


def test_members_see_the_team_and_nothing_of_each_other(
    research: Team, key: Key, lead: Client
) -> None:
    Limit.objects.create(
        holder_kind="team", holder_id=research.pk, what="requests", window="day", amount=90
    )
    page = signed_in(key.owner).get("/team/")
    assert "Requests today 0 of 90" in texts(page) and "Led by lena." in texts(page)
    assert "bobs" not in texts(page)
    assert 'href="/team/"' in page.content.decode()
    assert signed_in(user("nobody")).get("/team/").status_code == 404
    assert 'href="/team/"' not in signed_in(user("nobody")).get("/").content.decode()


def test_a_large_team_comes_in_pages_of_few_queries(
    lead: Client, research: Team, monkeypatch: Any, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(team_page, "MEMBERS_SHOWN", 4)
    for number in range(9):
        issued(f"key-{number}", owner=joined(f"member-{number}", research))
    with django_assert_max_num_queries(25):
        first = lead.get("/team/")
    assert "member-2" in texts(first) and "member-3" not in texts(first)
    assert "member-8" in texts(lead.get("/team/?page=3"))


def test_a_lead_sees_what_the_team_used_by_month_and_member(lead: Client, research: Team) -> None:
    def total(day: date, team: int, name: str, cost: int) -> None:
        TeamTotal.objects.create(
            day=day,
            team_id=team,
            owner_id=len(name),
            owner_name=name,
            requests=3,
            cost_nano_usd=cost,
        )

    today = timezone.now().astimezone(UTC).date()
    total(today, research.pk, "bob", 4 * 10**9)
    total(today, research.pk, "who left", 10**9)
    total(today, research.pk + 1, "of others", 7 * 10**9)
    total(date(2026, 1, 5), research.pk, "bob", 2 * 10**9)
    page = texts(lead.get("/team/"))
    assert "(UTC): $5.00" in page and "who left 3 0 $1.00" in page and "of others" not in page
    assert "January 2026 (UTC): $2.00" in texts(lead.get("/team/?month=2026-01"))
    for odd in ("2026-13", "9999-12", "%00", "0001-01"):
        assert lead.get(f"/team/?month={odd}").status_code == 200, odd
