"""The commands that change limits of owners, teams and everybody, and that raise limits."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError
from django.utils import timezone

from keys.access.key_reading import read_records
from keys.models import Everybody, Limit, OwnerLimits, Raise, Team
from tests.keys.factories import issued, user
from tests.keys.test_commands import ran

pytestmark = pytest.mark.django_db

MODELS = ["--limit", "rpm=20 @cf/moonshotai/* @cf/a/*", "--limit", "daily-usd=2 gpt-4o"]


def history(record):
    entries = LogEntry.objects.filter(
        object_id=str(record.pk), content_type__model=record._meta.model_name
    )
    return list(entries.order_by("pk").values_list("change_message", flat=True))


def amounts_of(key):
    """What a request with the key is held to: by holder, name of what, and models."""
    [(record, _)] = read_records([key.pk], timezone.now().timestamp()).values()
    return {
        (
            limit.subject.holder_kind,
            limit.subject.what,
            limit.subject.window,
            *limit.subject.models,
        ): limit.amount
        for limit in record.effective_limits
    }


@pytest.mark.parametrize(
    ("command", "record"),
    [
        (["change_owner", "ada"], lambda: OwnerLimits.objects.get()),
        (["change_team", "research"], lambda: Team.objects.get()),
        (["change_everybody"], lambda: Everybody.objects.get()),
    ],
)
def test_a_holder_s_limits_change_one_by_one_and_are_on_record(command, record):
    user("ada")
    ran("issue_team", "research", "--rpd", "500")
    ran(*command, "--rpd", "900", "--weekly-usd=5", "--daily-usd", "3", *MODELS)
    out, _ = ran(*command, "--rpd", "", "--limit", "rpm= @cf/a/* @cf/moonshotai/*", "--json")
    limits = json.loads(out)["limits"]
    assert {name: value for name, value in limits.items() if value} == {
        "daily_usd": "3",
        "weekly_usd": "5",
        "limit": ["daily-usd=2 gpt-4o"],
    }
    taken = "rpd: 900 → none; rpm @cf/a/* @cf/moonshotai/*: 20 → none."
    assert history(record())[-1] == f"{taken} By the command {command[0]}."
    assert "Nothing changed" in ran(*command, "--daily-usd", "3")[0]
    assert history(record())[-1].startswith(taken)


def test_a_key_s_limits_of_models_and_of_its_users_reach_its_requests():
    key, _ = issued(requests_per_minute=60)
    ran("change_key", str(key.pk), *MODELS, "--tpd=9", "--user-limit", "daily-usd=1")
    ran("change_owner", "ada", "--limit", "concurrency=2 @cf/x/*")
    ran("change_everybody", "--rpm", "300")
    assert amounts_of(key) == {
        ("key", "requests", "minute"): 60,
        ("key", "requests", "minute", "@cf/a/*", "@cf/moonshotai/*"): 20,
        ("key", "tokens", "day"): 9,
        ("key", "usd", "day", "gpt-4o"): 2_000_000_000,
        ("user", "usd", "day"): 1_000_000_000,
        ("owner", "concurrency", "", "@cf/x/*"): 2,
        ("everybody", "requests", "minute"): 300,
    }
    ran("change_key", str(key.pk), "--user-limit", "daily-usd=", "--rpm", "")
    assert ("user", "usd", "day") not in amounts_of(key)
    assert "each user: daily-usd: 1 → none" in history(key)[-1]


def test_change_owner_sets_how_many_keys_the_owner_may_make():
    user("ada")
    assert json.loads(ran("change_owner", "ada", "--max-keys", "3", "--json")[0])["max_keys"] == 3
    ran("change_owner", "ada", "--max-keys", "")
    assert OwnerLimits.objects.get().max_keys is None


def test_change_team_renames_it():
    ran("issue_team", "research")
    shown = json.loads(ran("change_team", "research", "--rename", "science", "--json")[0])
    assert (shown["name"], Team.objects.get().name) == ("science", "science")
    [listed] = json.loads(ran("list_teams", "--json")[0])
    assert listed == shown


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["change_owner", "nobody", "--rpm", "5"], "USERNAME: there is no account 'nobody'"),
        (["change_owner", "ada"], "Name what to change"),
        (["change_owner", "ada", "--max-keys", "-1"], "--max-keys is '-1'"),
        (["change_owner", "ada", "--limit", "rpm=5 " + "x" * 300], "rpm=5 x"),
        (["change_team", "nobodies", "--rpm", "5"], "NAME: there is no team 'nobodies'"),
        (["change_team", "research", "--rename", " "], "--rename: "),
        (["change_everybody", "--rpm", "x"], "--rpm is 'x'"),
        (["change_everybody"], "Name what to change"),
        (["issue_team", "more", "--tpd", "x"], "--tpd is 'x'"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_changes(command, says):
    user("ada")
    ran("issue_team", "research")
    with pytest.raises(CommandError) as caught:
        ran(*command)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert (Limit.objects.count(), Team.objects.count()) == (0, 1)


# --- raises -------------------------------------------------------------------------------------


def raised(*arguments):
    more = ["--until", "2099-12-04", "--why", "launch day", "--json"]
    return json.loads(ran("raise_limit", *arguments, *more)[0])


def test_a_raise_holds_until_it_ends_and_says_who_why_and_until_when():
    key, _ = issued(requests_per_minute=60, daily_budget_nano_usd=5_000_000_000)
    ran("issue_team", "research", *MODELS)
    first = raised(f"key:{key.pk}", "daily-usd=+20")
    assert (first["until"], first["why"], first["by"]) == (
        "2099-12-04T23:59:59Z",
        "launch day",
        "manage.py",
    )
    raised(f"key:{key.pk}", "rpm=120")
    raised("team:research", "rpm=+5 @cf/moonshotai/* @cf/a/*")
    now = amounts_of(key)
    assert now["key", "usd", "day"] == 25_000_000_000
    assert now["key", "requests", "minute"] == 120
    assert history(key)[0] == "Raised daily-usd by 20 until 2099-12-04 23:59 UTC: launch day"
    listed = json.loads(ran("raise_limit", "--list", "--json")[0])
    assert [(one["whose"], one["what"]) for one in listed] == [
        (f"key:{key.pk}", "daily-usd=+20"),
        (f"key:{key.pk}", "rpm=120"),
        ("team:research", "rpm=+5 @cf/a/* @cf/moonshotai/*"),
    ]

    ran("raise_limit", "--end", str(first["id"]))
    assert amounts_of(key)["key", "usd", "day"] == 5_000_000_000
    assert "had ended before" in ran("raise_limit", "--end", str(first["id"]))[0]
    assert history(key)[-1].startswith("Ended the raise of daily-usd by 20")

    # The other one ends by itself.
    Raise.objects.filter(what="requests").update(
        made_at=datetime(2020, 1, 1, tzinfo=UTC), until=timezone.now() - timedelta(seconds=1)
    )
    assert amounts_of(key)["key", "requests", "minute"] == 60
    assert ran("raise_limit", "--list")[0] == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "WHOSE and WHAT=AMOUNT are missing"),
        (["key:7"], "WHOSE and WHAT=AMOUNT are missing"),
        (["key:999", "rpm=120"], "WHOSE is 'key:999': there is no key with the id 999"),
        (["team:x", "rpm=120"], "WHOSE is 'team:x': there is no team 'x'"),
        (["owner:x", "rpm=120"], "WHOSE is 'owner:x': there is no account 'x'"),
        (["ada", "rpm=120"], "WHOSE is 'ada': it takes key:7, owner:alice"),
        (["everybody:x", "rpm=120"], "WHOSE is 'everybody:x': it takes key:7"),
        (["owner:ada", "rps=120"], "WHAT=AMOUNT is 'rps=120': it begins with one of rpm"),
        (["owner:ada", "rpm=+0"], "WHAT=AMOUNT is 'rpm=+0': rpm takes a whole number above 0"),
        (["owner:ada", "rpm=60"], "WHAT=AMOUNT is 'rpm=60': A raise is to more than"),
        (["owner:ada", "tpm=+5"], "WHAT=AMOUNT is 'tpm=+5': There is no tokens per minute"),
        (["owner:ada", "rpm=+5 @cf/x/*"], "WHAT=AMOUNT is 'rpm=+5 @cf/x/*': There is no "),
        (["owner:ada", "rpm=+5", "--until", "2020-01-01"], "--until is '2020-01-01': it takes"),
        (["owner:ada", "rpm=+5", "--until", "soon"], "--until is 'soon': it takes"),
        (["owner:ada", "rpm=+5", "--why", " "], "--why is missing"),
        (["owner:ada", "rpm=+5", "--why", "x" * 501], "--why has 501 characters"),
        (["--end", "999"], "--end is 999: there is no such raise"),
    ],
)
def test_a_raise_that_cannot_be_is_refused_in_one_line(arguments, says):
    user("ada")
    ran("change_owner", "ada", "--rpm", "60")
    with pytest.raises(CommandError) as caught:
        ran("raise_limit", "--until", "2099-12-04", "--why", "launch day", *arguments)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert not Raise.objects.exists()
