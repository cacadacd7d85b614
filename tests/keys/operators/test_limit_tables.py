"""The tables of limits on the admin's pages of keys, owners, teams and everybody."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from keys.models import Everybody, Key, Limit, OwnerLimits, Raise, RaiseRequest, Team
from tests.keys.factories import issued, user
from tests.keys.operators.test_admin import signed_in, texts
from tests.keys.test_limit_commands import amounts_of

pytestmark = pytest.mark.django_db

ROW = ("20", "rpm", "@cf/moonshotai/* @cf/a/*")


@pytest.fixture
def operator():
    return signed_in(user("operator", is_staff=True, is_superuser=True))


def table(kind, *rows, ids=(), **more):
    """What the form sends for a table: (amount, kind, models) of each row, known ones first."""
    prefix = f"limits_of_{kind}"
    sent = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": len(ids), **more}
    for number, (at_most, name, models) in enumerate(rows):
        at = f"{prefix}-{number}"
        sent |= {f"{at}-at_most": at_most, f"{at}-kind": name, f"{at}-models": models}
        if number < len(ids):
            sent[f"{at}-id"] = ids[number]
    return sent


def of_key(key, **changed):
    return {"name": key.name, "owner": key.owner_id, **changed}


def page_of(record):
    return reverse(f"admin:keys_{record._meta.model_name}_change", args=[record.pk])


HOLDERS = {
    "key": lambda: (issued()[0], lambda record: of_key(record)),
    "owner": lambda: (OwnerLimits.objects.create(owner=user("ada")), lambda _: {}),
    "team": lambda: (
        Team.objects.create(name="research"),
        lambda _: {
            "name": "research",
            "memberships-TOTAL_FORMS": 0,
            "memberships-INITIAL_FORMS": 0,
        },
    ),
    "everybody": lambda: (Everybody.row(), lambda _: {}),
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_limits_are_added_changed_and_taken_away_and_the_history_tells_it(operator, kind):
    record, fields = HOLDERS[kind]()
    page = page_of(record)
    sent = table(kind, ROW, ("5", "weekly-usd", ""), ("", "rpd", ""), **fields(record))
    assert operator.post(page, sent).status_code == 302
    first, second = Limit.objects.order_by("pk")
    assert (first.holder_kind, first.amount, first.model_patterns) == (
        kind,
        20,
        ["@cf/a/*", "@cf/moonshotai/*"],
    )
    assert "@cf/a/* @cf/moonshotai/*" in operator.get(page).content.decode()

    rows = [("30", "rpm", "@cf/a/*"), ("5", "weekly-usd", "")]
    sent = table(kind, *rows, ids=[first.pk, second.pk], **fields(record))
    sent[f"limits_of_{kind}-1-DELETE"] = "on"
    assert operator.post(page, sent).status_code == 302
    assert [(one.amount, one.model_patterns) for one in Limit.objects.all()] == [(30, ["@cf/a/*"])]
    told = LogEntry.objects.filter(object_id=str(record.pk)).order_by("pk")
    assert [entry.change_message for entry in told] == [
        "Limit none → rpm=20 @cf/moonshotai/* @cf/a/*. Limit none → weekly-usd=5.",
        "Limit rpm=20 @cf/a/* @cf/moonshotai/* → rpm=30 @cf/a/*. Limit weekly-usd=5 → none.",
    ]


def test_a_new_key_gets_its_limits_and_those_of_its_users_at_once(operator):
    sent = {"name": "chat app", "owner": user("ada").pk, "requests_per_minute": "60"}
    sent |= table("key", ROW) | table("user", ("1", "daily-usd", ""))
    assert "Key issued" in texts(operator.post("/admin/keys/key/add/", sent))
    assert amounts_of(Key.objects.get()) == {
        ("key", "requests", "minute"): 60,
        ("key", "requests", "minute", "@cf/a/*", "@cf/moonshotai/*"): 20,
        ("user", "usd", "day"): 1_000_000_000,
    }


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("x", "rpm", "@cf/a/*")], "It takes a whole number above 0."),
        ([("0", "daily-usd", "@cf/a/*")], "It takes an amount above 0 such as 12.50."),
        ([("", "rpm", "@cf/a/*")], "This field is required."),
        ([("5", "rps", "@cf/a/*")], "Select a valid choice."),
        ([("5", "rpm", "")], "is set in the field “requests per minute” of the key itself"),
        ([("5", "rpm", "a b"), ("6", "rpm", "b, a")], "Another line of this table has the same"),
        ([("5", "rpm", "a" * 201)], "A pattern has at most 200 characters."),
        ([("5", "rpm", " ".join(map(str, range(21))))], "It takes at most 20 patterns"),
    ],
)
def test_a_line_that_is_wrong_says_why_and_nothing_is_saved(operator, rows, says):
    key, _ = issued()
    answer = operator.post(page_of(key), of_key(key, name="other", **table("key", *rows)))
    assert says in texts(answer)
    assert not Limit.objects.exists()
    assert Key.objects.get().name == "laptop"


def test_a_line_that_somebody_has_added_meanwhile_is_told(operator):
    key, _ = issued()
    sent = of_key(key, **table("key", ROW))
    assert operator.post(page_of(key), sent).status_code == 302
    assert "There is such a limit by now" in texts(operator.post(page_of(key), sent))
    assert Limit.objects.count() == 1


DELETIONS = {
    "a key": lambda key, team: key.delete(),
    "keys in a list": lambda key, team: Key.objects.filter(pk=key.pk).delete(),
    "a team": lambda key, team: team.delete(),
    "an owner's limits": lambda key, team: OwnerLimits.objects.get(owner=key.owner).delete(),
    "an owner": lambda key, team: key.owner.delete(),
}


@pytest.mark.parametrize(
    ("deleted", "left"),
    [
        ("a key", {"owner", "team"}),
        ("keys in a list", {"owner", "team"}),
        ("a team", {"key", "user", "owner"}),
        ("an owner's limits", {"key", "user", "team"}),
        ("an owner", {"team"}),
    ],
)
def test_limits_and_raises_go_with_whoever_had_them(deleted, left):
    key, team = issued()[0], Team.objects.create(name="research")
    OwnerLimits.objects.create(owner=key.owner)
    asking, until = user("asking"), timezone.now() + timedelta(days=1)
    ids = {"key": key.pk, "user": key.pk, "owner": key.owner_id, "team": team.pk}
    for kind, holder_id in ids.items():
        about = {"holder_kind": kind, "holder_id": holder_id, "what": "usd", "window": "week"}
        Limit.objects.create(**about, amount=5)
        Raise.objects.create(**about, plus=5, until=until, why="launch")
        RaiseRequest.objects.create(**about, plus=5, until=until, why="launch", asked_by=asking)
    DELETIONS[deleted](key, team)
    for rows in (Limit, Raise, RaiseRequest):
        assert set(rows.objects.values_list("holder_kind", flat=True)) == left


def test_a_form_without_the_tables_changes_no_limit(operator):
    key, _ = issued()
    operator.post(page_of(key), of_key(key, **table("key", ROW)))
    assert operator.post(page_of(key), of_key(key, name="other")).status_code == 302
    assert (Key.objects.get().name, Limit.objects.count()) == ("other", 1)


def test_a_limit_of_another_holder_cannot_be_changed_here(operator):
    key, _ = issued()
    Limit.objects.create(
        holder_kind="team", holder_id=9, what="usd", window="day", model_patterns=[], amount=5
    )
    sent = table("key", ("9", "rpd", ""), ids=[Limit.objects.get().pk])
    operator.post(page_of(key), of_key(key, **sent))
    assert Limit.objects.get(holder_kind="team").amount == 5


def test_whoever_may_only_see_keys_sees_limits_and_changes_none():
    clerk = user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_key"))
    client = signed_in(clerk)
    key, _ = issued()
    Limit.objects.create(
        holder_kind="key", holder_id=key.pk, what="requests", window="day", amount=77
    )
    assert "77" in texts(client.get(page_of(key)))
    sent = of_key(key, **table("key", ("9", "rpd", ""), ids=[Limit.objects.get().pk]))
    assert client.post(page_of(key), sent).status_code == 403
    assert Limit.objects.get().amount == 77


def test_a_revoked_key_keeps_its_limits(operator):
    key, _ = issued()
    key.revoke()
    operator.post(page_of(key), of_key(key, **table("key", ROW)))
    assert not Limit.objects.exists()


def test_lists_show_limits_of_every_form_in_as_many_queries_for_many_as_for_one(
    operator, django_assert_max_num_queries
):
    for number in range(12):
        key, _ = issued(f"key {number}")
        Limit.objects.create(
            holder_kind="key",
            holder_id=key.pk,
            what="requests",
            window="day",
            model_patterns=["@cf/a/*"],
            amount=70 + number,
        )
    with django_assert_max_num_queries(25):
        shown = texts(operator.get("/admin/keys/key/"))
    assert "75 requests per day for @cf/a/*" in shown
