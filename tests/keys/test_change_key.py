import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.management import CommandError

from keys.models import Key
from tests.keys.factories import issued, user
from tests.keys.test_commands import ran

pytestmark = pytest.mark.django_db

FULL = {
    "requests_per_minute": 60,
    "daily_budget_nano_usd": 5_000_000_000,
    "allowed_models": ["@cf/meta/*"],
    "allowed_networks": ["10.0.0.0/8"],
}


def told(key):
    entries = LogEntry.objects.filter(object_id=str(key.pk)).order_by("pk")
    return [entry.change_message for entry in entries]


def test_change_key_changes_what_is_named_and_nothing_else():
    key, _ = issued(**FULL)
    more = "--daily-usd= --models @cf/openai/*,gpt-4o --expires 2099-01-31 --name desk"
    out, _ = ran("change_key", str(key.pk), "--rpm", "120", "--tpm=9", *more.split(), "--json")
    limits = json.loads(out)["limits"]
    assert (limits["rpm"], limits["tpm"], limits["daily_usd"]) == (120, 9, None)
    assert limits["models"] == ["@cf/openai/*", "gpt-4o"]
    assert limits["networks"] == ["10.0.0.0/8"]
    key.refresh_from_db()
    assert (key.name, key.expires_at.year) == ("desk", 2099)
    assert told(key) == [
        "expires: none → 2099-01-31 23:59 UTC; models: @cf/meta/* → @cf/openai/*, gpt-4o; "
        "name: laptop → desk; rpm: 60 → 120; tpm: none → 9; daily-usd: 5 → none. "
        "By the command change_key."
    ]


def test_change_key_takes_restrictions_away_by_empty_values():
    key, _ = issued(**FULL)
    ran("change_key", key.prefix, "--models", "", "--networks", "", "--rpm", "", "--notes", "")
    key.refresh_from_db()
    assert (key.allowed_models, key.allowed_networks, key.requests_per_minute) == ([], [], None)
    assert key.daily_budget_nano_usd == 5_000_000_000


def test_what_is_so_already_is_no_change():
    key, _ = issued(**FULL)
    assert "is so already" in ran("change_key", str(key.pk), "--rpm", "60")[0]
    assert told(key) == []


def test_change_key_gives_the_key_to_another_owner():
    key, _ = issued(owner=user("ada"))
    out, err = ran("change_key", str(key.pk), "--owner", "bob")
    assert Key.objects.get().owner.get_username() == "bob"
    assert ("owner: ada → bob" in out, "Made the user 'bob'" in err) == (True, True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--rpm", "0"], "--rpm is '0': it takes a whole number above 0."),
        (["--daily-usd", "free"], "--daily-usd is 'free': it takes an amount above 0"),
        (["--limit", "rps=5"], "--limit is 'rps=5': it begins with one of rpm"),
        (["--rpm", "5", "--limit", "rpm=6"], "rpm is there twice"),
        (["--expires", "2020-01-01"], "--expires is '2020-01-01': it takes a day"),
        (["--endpoints", "chats"], "--endpoints: There is no endpoint 'chats'"),
        (["--networks", "10.0.0.0/99"], "--networks: "),
        (["--name", " "], "--name: "),
        (["--owner", "no spaces please"], "--owner is 'no spaces please'"),
        ([], "Name what to change"),
    ],
)
def test_change_key_names_the_option_that_is_wrong_and_changes_nothing(options, says):
    key, _ = issued(**FULL)
    before = Key.objects.values().get()
    with pytest.raises(CommandError) as caught:
        ran("change_key", str(key.pk), "--tpm=7", *options) if options else ran(
            "change_key", str(key.pk)
        )
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert Key.objects.values().get() == before
    assert told(key) == []
    assert get_user_model().objects.exclude(username="ada").count() == 0


def test_change_key_changes_no_limit_of_a_revoked_key_but_its_name():
    key, _ = issued()
    key.revoke()
    with pytest.raises(CommandError, match="revoked for good"):
        ran("change_key", str(key.pk), "--rpm", "5")
    ran("change_key", str(key.pk), "--name", "old laptop")
    assert Key.objects.get().name == "old laptop"


def test_change_key_says_that_there_is_no_such_key():
    with pytest.raises(CommandError, match=r"^ID: there is no key"):
        ran("change_key", "999", "--rpm", "5")
