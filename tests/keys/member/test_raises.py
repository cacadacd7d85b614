"""Raises that members ask for, and that operators and leads grant or refuse."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from alerts.models import Alert
from keys.models import Limit, Membership, Raise, RaiseRequest, Team
from tests.keys.factories import issued, user
from tests.keys.operators.test_admin import signed_in, texts
from tests.keys.test_limit_commands import amounts_of

pytestmark = pytest.mark.django_db

USD = 1_000_000_000
UNTIL = (timezone.now() + timedelta(days=7)).date()


@pytest.fixture
def key():
    key, _ = issued(owner=user("ada", email="ada@example.com"), daily_budget_nano_usd=5 * USD)
    return key


@pytest.fixture
def member(key):
    return signed_in(key.owner)


@pytest.fixture
def operator():
    return signed_in(user("operator", is_staff=True, is_superuser=True))


def choices(member, key):
    form = member.get(reverse("member:ask", args=[key.pk])).context["form"]
    return {words: name for name, words in form.fields["limit"].choices}


def asked(member, key, words="$5.00 per day (this key)", **fields):
    sent = {"limit": choices(member, key)[words], "more": "+20", "last_day": UNTIL, "why": "launch"}
    return member.post(reverse("member:ask", args=[key.pk]), sent | fields)


def told_alerts():
    return list(Alert.objects.order_by("pk").values_list("event", "text", "resolved_at"))


def test_a_member_asks_an_operator_grants_and_the_raise_holds(key, member, operator):
    assert asked(member, key).status_code == 302
    wish = RaiseRequest.objects.get()
    [(event, text, resolved_at)] = told_alerts()
    assert (event, resolved_at) == ("raise_asked", None)
    assert text.startswith("ada asks for $20.00 more per day for key")
    assert "launch" in text
    assert "waits" in texts(member.get(reverse("member:raises")))

    page = operator.get(reverse("admin:keys_raiserequest_changelist"))
    assert "$20.00 more per day" in texts(page)
    operator.post(reverse("admin:keys_raiserequest_grant", args=[wish.pk]))
    assert amounts_of(key)["key", "usd", "day"] == 25 * USD
    made = Raise.objects.get()
    assert (made.made_by_name, made.why) == ("operator", "asked for by ada: launch")
    assert made.until == datetime(UNTIL.year, UNTIL.month, UNTIL.day, 23, 59, 59, tzinfo=UTC)
    entry = LogEntry.objects.get(content_type__model="key", object_id=str(key.pk))
    assert entry.change_message.startswith("Raised daily-usd by 20 until ")
    assert entry.user.username == "operator"

    assert [(event, at is None) for event, _, at in told_alerts()] == [
        ("raise_asked", False),
        ("raise_answered", False),
    ]
    assert "granted  by operator" in texts(member.get(reverse("member:raises")))


def test_a_reason_is_one_line_of_what_can_be_seen(key, member, operator):
    asked(member, key, why="launch\r\n9  owner:root  daily-usd=+99\x1b[2J")
    wish = RaiseRequest.objects.get()
    assert wish.why == "launch 9 owner:root daily-usd=+99 [2J"
    operator.post(reverse("admin:keys_raiserequest_grant", args=[wish.pk]))
    assert Raise.objects.get().why == f"asked for by ada: {wish.why}"


def test_of_two_who_decide_the_first_does(key, member, operator):
    asked(member, key)
    wish = RaiseRequest.objects.get()
    operator.post(reverse("admin:keys_raiserequest_refuse", args=[wish.pk]))
    again = operator.post(reverse("admin:keys_raiserequest_grant", args=[wish.pk]), follow=True)
    assert "Somebody has decided this meanwhile" in texts(again)
    assert RaiseRequest.objects.get().state == "refused"
    assert not Raise.objects.exists()
    assert amounts_of(key)["key", "usd", "day"] == 5 * USD


def test_what_was_withdrawn_or_whose_limit_is_gone_is_not_granted(key, member, operator):
    asked(member, key)
    asked(member, key, more="7")
    first, second = RaiseRequest.objects.order_by("pk")
    member.post(reverse("member:decide_raise", args=[first.pk, "withdraw"]))
    key.daily_budget_nano_usd = None
    key.save()
    for wish in (first, second):
        operator.post(reverse("admin:keys_raiserequest_grant", args=[wish.pk]))
    states = RaiseRequest.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["withdrawn", "open"]
    assert not Raise.objects.exists()


def test_a_lead_answers_for_the_team_s_members_and_for_nobody_else(key, member):
    team = Team.objects.create(name="research")
    for name, lead in (("ada", False), ("lea", True)):
        Membership.objects.create(user=user(name), team=team, is_lead=lead)
    of_team = {"holder_kind": "team", "holder_id": team.pk, "what": "usd", "window": "day"}
    Limit.objects.create(**of_team, amount=9 * USD)
    asked(member, key)
    asked(member, key, "$9.00 per day (your team)")
    own, teams = RaiseRequest.objects.order_by("pk")
    lead, stranger = signed_in(user("lea")), signed_in(user("eve"))
    shown = lead.get(reverse("member:raises")).context["waiting"]
    assert [row["asked"] for row in shown] == [own]

    grant = [reverse("member:decide_raise", args=[wish.pk, "grant"]) for wish in (own, teams)]
    assert stranger.post(grant[0]).status_code == 404
    assert member.post(grant[0]).status_code == 404
    # The team's own limits are the operators'.
    assert lead.post(grant[1]).status_code == 404
    assert lead.post(grant[0]).status_code == 302
    assert amounts_of(key)["key", "usd", "day"] == 25 * USD
    assert Raise.objects.get().made_by_name == "lea"


def test_a_lead_does_not_answer_for_a_key_that_has_left_the_team(key, member):
    team = Team.objects.create(name="research")
    for name, lead in (("ada", False), ("lea", True)):
        Membership.objects.create(user=user(name), team=team, is_lead=lead)
    asked(member, key)
    key.owner = user("eve")
    key.save()
    lead = signed_in(user("lea"))
    assert lead.get(reverse("member:raises")).context["waiting"] == []
    decide = reverse("member:decide_raise", args=[RaiseRequest.objects.get().pk, "grant"])
    assert lead.post(decide).status_code == 404
    assert not Raise.objects.exists()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"more": "0"}, "It takes an amount above 0 such as 12.50."),
        ({"more": "much"}, "It takes an amount above 0 such as 12.50."),
        ({"last_day": "2020-01-01"}, "Choose a day from today on, within a year."),
        ({"last_day": "2099-01-01"}, "Choose a day from today on, within a year."),
        ({"why": ""}, "This field is required."),
        ({"limit": "x"}, "Select a valid choice."),
    ],
)
def test_a_wish_that_is_none_says_why(key, member, fields, says):
    assert says in texts(asked(member, key, **fields))
    assert not RaiseRequest.objects.exists()


def test_a_member_has_only_so_many_open_wishes(key, member):
    for _ in range(12):
        asked(member, key)
    assert RaiseRequest.objects.count() == 10
    assert "wait for an answer" in texts(member.get(reverse("member:raises")))


def test_nobody_asks_for_a_key_of_another(key):
    stranger = signed_in(user("eve"))
    assert stranger.get(reverse("member:ask", args=[key.pk])).status_code == 404


# --- by operators themselves ----------------------------------------------------------------------


def raise_form(**changed):
    return {
        "whose": "owner:ada",
        "wish": "rpm=+20",
        "last_day": str(UNTIL),
        "reason": "launch",
        **changed,
    }


def test_an_operator_raises_a_limit_and_ends_the_raise(key, operator):
    key.requests_per_minute = 60
    key.save()
    add = reverse("admin:keys_raise_add")
    operator.post(add, raise_form(whose=f"key:{key.pk}"))
    assert amounts_of(key)["key", "requests", "minute"] == 80
    made = Raise.objects.get()
    assert "in force" in texts(operator.get(reverse("admin:keys_raise_changelist")))
    operator.post(reverse("admin:keys_raise_end", args=[made.pk]))
    assert amounts_of(key)["key", "requests", "minute"] == 60


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"whose": "ada"}, "It takes key:7, owner:alice, team:research or everybody."),
        ({"wish": "rps=5"}, "It begins with one of rpm"),
        ({"wish": "rpm=+20"}, "There is no requests per minute"),
        ({"last_day": "2020-01-01"}, "This day is over."),
        ({"reason": ""}, "This field is required."),
    ],
)
def test_a_raise_that_cannot_be_says_why_in_the_form(key, operator, changed, says):
    answer = operator.post(reverse("admin:keys_raise_add"), raise_form(**changed))
    assert says in texts(answer)
    assert not Raise.objects.exists()
