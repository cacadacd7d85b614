import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

from keys import key_text
from keys.models import Key, RequestLog
from tests.keys.factories import issued, log_row, user

pytestmark = pytest.mark.django_db


def ran(*arguments):
    """What the command wrote to stdout and to stderr."""
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


# --- issue_key ----------------------------------------------------------------------------------


def test_issue_key_prints_the_key_alone_on_stdout():
    out, err = ran("issue_key", "laptop", "--owner", "ada")
    assert key_text.is_well_formed(out.removesuffix("\n"))
    assert out.strip() not in err


def test_issue_key_makes_a_missing_user_who_cannot_sign_in():
    _, err = ran("issue_key", "laptop", "--owner", "ada")
    assert not get_user_model().objects.get(username="ada").has_usable_password()
    assert "'ada'" in err


def test_issue_key_takes_an_existing_user_as_they_are():
    user("ada", email="ada@example.com")
    _, err = ran("issue_key", "laptop", "--owner", "ada")
    assert "Made the user" not in err
    assert Key.objects.get().owner.email == "ada@example.com"


def test_issue_key_json_has_the_key_and_its_limits():
    options = "--rpm 7 --tpm 1000 --concurrency 2 --daily-usd 1.50 --monthly-usd 20 --total-usd 99"
    more = "--daily-neurons 500 --expires 2099-01-31 --models @cf/meta/*,gpt-4o"
    new = "--rpd 900 --tpd 50000 --weekly-usd 5 --monthly-neurons 7.5 --user-limit daily-usd=1"
    last = "--endpoints chat,images --networks 10.0.0.0/8,::1/128 --json"
    of_models = ["--limit", "rpm=20 @cf/moonshotai/* @cf/a/*", "--limit", "daily-usd=2 gpt-4o"]
    options = [*f"{options} {more} {new} {last}".split(), *of_models]
    out, err = ran("issue_key", "laptop", "--owner", "ada", *options)
    shown = json.loads(out)
    assert key_text.is_well_formed(shown.pop("key"))
    assert shown["id"] == Key.objects.get().pk
    assert (shown["name"], shown["owner"]) == ("laptop", "ada")
    assert shown["expires_at"] == "2099-01-31T23:59:59Z"
    assert shown["limits"] == {
        "rpm": 7,
        "rpd": 900,
        "tpm": 1000,
        "tpd": 50000,
        "concurrency": 2,
        "daily_usd": "1.5",
        "weekly_usd": "5",
        "monthly_usd": "20",
        "total_usd": "99",
        "daily_neurons": "500",
        "monthly_neurons": "7.5",
        "limit": ["rpm=20 @cf/a/* @cf/moonshotai/*", "daily-usd=2 gpt-4o"],
        "user_limit": ["daily-usd=1"],
        "models": ["@cf/meta/*", "gpt-4o"],
        "endpoints": ["chat", "images"],
        "networks": ["10.0.0.0/8", "::1/128"],
    }
    assert err.count("\n") == 1
    [listed] = json.loads(ran("list_keys", "--json")[0])
    assert listed["limits"] == shown["limits"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rpm", "0"),
        ("--rpm", "x"),
        ("--tpm", "-5"),
        ("--concurrency", "1.5"),
        ("--tpd", "many"),
        ("--weekly-usd", "-1"),
        ("--limit", "rps=5 @cf/x/*"),
        ("--limit", "rpm @cf/x/*"),
        ("--limit", "daily-usd=x gpt-4o"),
        ("--user-limit", "5"),
        ("--rpm", str(2**70)),
        ("--daily-usd", "free"),
        ("--monthly-usd", "0"),
        ("--total-usd", "-3"),
        ("--daily-neurons", "nan"),
        ("--expires", "tomorrow"),
        ("--expires", "2020-01-01"),
        ("--endpoints", "chat,chats"),
        ("--networks", "10.0.0.0/99"),
        ("--owner", "no spaces please"),
    ],
)
def test_issue_key_names_the_option_that_is_wrong_and_makes_nothing(option, value):
    with pytest.raises(CommandError) as caught:
        ran("issue_key", "laptop", "--owner", "ada", f"{option}={value}")
    assert str(caught.value).startswith(option)
    assert "\n" not in str(caught.value)
    assert not Key.objects.exists()
    assert not get_user_model().objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 121])
def test_issue_key_wants_a_name_of_a_sane_length(name):
    with pytest.raises(CommandError, match=r"^NAME: "):
        ran("issue_key", name, "--owner", "ada")


# --- revoke, rotate, list -----------------------------------------------------------------------


def test_revoke_key_takes_a_number_or_a_prefix():
    (first, _), (second, text) = issued("one"), issued("two")
    ran("revoke_key", str(first.pk))
    ran("revoke_key", text[:12])
    assert not Key.objects.filter(revoked_at=None).exists()
    assert "before" in ran("revoke_key", str(second.pk))[0]


def test_a_prefix_that_two_keys_share_is_refused():
    for number in range(2):
        key, _ = issued(f"key {number}")
        key.secrets.update(prefix="sk-wai-SAME1")
    with pytest.raises(CommandError, match="more than one key"):
        ran("revoke_key", "sk-wai-SAME1")


@pytest.mark.parametrize("wrong", ["999", "sk-wai-nobod", "", "9" * 40, "²"])
def test_an_id_that_names_no_key_is_one_line(wrong):
    with pytest.raises(CommandError, match=r"^ID: "):
        ran("revoke_key", wrong)


def test_a_whole_key_given_by_mistake_is_not_repeated():
    text = key_text.make_key()
    with pytest.raises(CommandError) as caught:
        ran("revoke_key", text)
    assert text not in str(caught.value)


def test_rotate_key_prints_the_new_key_alone():
    key, _ = issued()
    out, err = ran("rotate_key", str(key.pk), "--overlap", "1h")
    assert key_text.is_well_formed(out.removesuffix("\n"))
    assert "1h" in err
    assert key.secrets.filter(expires_at=None).count() == 1


def test_rotate_key_json_names_the_key():
    key, _ = issued()
    shown = json.loads(ran("rotate_key", str(key.pk), "--json")[0])
    assert (shown["id"], shown["prefix"]) == (key.pk, shown["key"][:12])


@pytest.mark.parametrize("overlap", ["soon", "-1h", "999999999w", "99999999d"])
def test_rotate_key_refuses_an_overlap_that_is_none(overlap):
    key, _ = issued()
    with pytest.raises(CommandError, match=r"^--overlap is"):
        ran("rotate_key", str(key.pk), f"--overlap={overlap}")
    assert key.secrets.count() == 1


def test_rotate_key_refuses_a_revoked_key():
    key, _ = issued()
    key.revoke()
    with pytest.raises(CommandError, match="revoked"):
        ran("rotate_key", str(key.pk))


def expired():
    return issued(expires_at=timezone.now() - timedelta(days=6))[0]


def of_nobody_active():
    key, _ = issued(owner=user("away"))
    get_user_model().objects.filter(username="away").update(is_active=False)
    return key


def revoked():
    key, _ = issued()
    key.revoke()
    return key


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (expired, r"^ID: This key expired on \d{4}-\d\d-\d\d .*: let it expire later first"),
        (of_nobody_active, "^ID: The account .* is not active, .*: make it active first"),
        (revoked, "^ID: A revoked key cannot be rotated: issue a new one"),
    ],
)
def test_rotate_key_gives_no_secret_that_opens_nothing(make, says):
    key = make()
    with pytest.raises(CommandError, match=says) as caught:
        ran("rotate_key", str(key.pk))
    assert "\n" not in str(caught.value)
    assert key.secrets.count() == 1


def test_an_expired_key_is_rotated_once_it_has_a_later_last_day():
    key = expired()
    key.expires_at = timezone.now() + timedelta(days=1)
    key.save()
    ran("rotate_key", str(key.pk))
    assert key.secrets.count() == 2


@pytest.mark.parametrize(
    ("overlap", "says"),
    [
        ("1h", "the old secret works for 1h more"),
        ("24h", "the old secret works until the key itself expires, 20"),
        ("0s", "the old secret works no more"),
    ],
)
def test_rotate_key_says_how_long_the_old_secret_works_indeed(overlap, says):
    key, _ = issued(expires_at=timezone.now() + timedelta(hours=2))
    assert says in ran("rotate_key", str(key.pk), "--overlap", overlap)[1]


def test_issue_key_gives_no_key_to_an_account_that_is_not_active():
    user("away", is_active=False)
    with pytest.raises(CommandError, match=r"^--owner is 'away': this account is not active"):
        ran("issue_key", "laptop", "--owner", "away")
    assert not Key.objects.exists()


def test_an_account_with_a_name_that_no_new_one_may_have_gets_keys():
    get_user_model().objects.create(username="with spaces")
    ran("issue_key", "laptop", "--owner", "with spaces")
    assert Key.objects.get().owner.username == "with spaces"


def test_list_keys_shows_states_and_no_secret():
    key, text = issued(requests_per_minute=5)
    gone, gone_text = issued("gone")
    gone.revoke()
    listed = json.loads(ran("list_keys", "--json")[0])
    assert [(each["id"], each["state"]) for each in listed] == [
        (key.pk, "active"),
        (gone.pk, "revoked"),
    ]
    plain = ran("list_keys")[0]
    for shown in (json.dumps(listed), plain):
        assert text not in shown and gone_text not in shown
    assert "rpm=5" in plain


# --- export_logs --------------------------------------------------------------------------------


def at(day, **more):
    return datetime(2027, 1, day, tzinfo=UTC) + timedelta(**more)


def test_export_is_oldest_first_with_the_names_of_the_contract():
    log_row("late", started_at=at(2))
    log_row(
        "early",
        started_at=at(1),
        owner_name="ada",
        team_id=4,
        team_name="research",
        cost_nano_usd=1_230_000,
        neurons_micro=1_500_000,
        audio_ms=1500,
        price='{"input": 1}',
    )
    early, late = lines_of(ran("export_logs")[0])
    assert (early["request_id"], late["request_id"]) == ("early", "late")
    assert (early["key"], early["key_id"], early["owner"]) == ("laptop", 1, "ada")
    assert (early["team"], early["team_id"]) == ("research", 4)
    assert (late["team"], late["team_id"]) == ("", None)
    assert (early["cost_usd"], early["neurons"]) == ("0.00123", "1.5")
    assert (early["audio_seconds"], early["price"]) == (1.5, {"input": 1})
    assert early["started_at"] == "2027-01-01T00:00:00Z"
    assert late["cost_usd"] is None


def test_export_takes_since_until_and_key():
    for day in (1, 2, 3):
        log_row(f"day {day}", started_at=at(day), key_id=777)
    key, _ = issued()
    log_row("other key", started_at=at(2), key_id=key.pk)
    out, _ = ran("export_logs", "--since", "2027-01-02", "--until", "2027-01-03T00:00")
    assert [row["request_id"] for row in lines_of(out)] == ["day 2", "other key"]
    out, _ = ran("export_logs", "--key", str(key.pk))
    assert [row["request_id"] for row in lines_of(out)] == ["other key"]


def test_export_finds_the_rows_of_a_deleted_key():
    log_row(key_id=77)
    assert len(lines_of(ran("export_logs", "--key", "77")[0])) == 1


def test_export_crosses_batches_without_losing_or_repeating_a_row(monkeypatch):
    monkeypatch.setattr("keys.log.export.BATCH_ROWS", 3)
    for number in range(10):
        log_row(str(number), started_at=at(1, seconds=number // 4))
    rows = lines_of(ran("export_logs")[0])
    assert [row["request_id"] for row in rows] == [str(number) for number in range(10)]


def test_export_csv_has_a_header_and_defuses_formulas():
    log_row("r1", user_agent='=HYPERLINK("http://evil.example")', user="-2+3")
    header, line = ran("export_logs", "--format", "csv")[0].splitlines()
    assert header.startswith("started_at,request_id,key,")
    assert "\"'=HYPERLINK(" in line
    assert "'-2+3" in line
    assert ",false," in line


@pytest.mark.parametrize(
    "wrong", ["--format=xml", "--since=soon", "--until=2027-13-01", "--key=999"]
)
def test_export_names_the_option_that_is_wrong(wrong):
    with pytest.raises(CommandError, match=r"^" + wrong.split("=")[0]):
        ran("export_logs", wrong)


# --- prune_logs ---------------------------------------------------------------------------------


def test_prune_deletes_what_is_older_in_batches(monkeypatch):
    monkeypatch.setattr("keys.management.commands.prune_logs.BATCH_ROWS", 2)
    now = timezone.now()
    for days in (1, 89, 91, 92, 93, 200, 300):
        log_row(f"{days} days", started_at=now - timedelta(days=days))
    out, _ = ran("prune_logs", "--older-than", "90d")
    assert "Deleted 5 rows" in out
    assert set(RequestLog.objects.values_list("request_id", flat=True)) == {"1 days", "89 days"}


def test_prune_takes_the_retention_of_the_settings(settings):
    settings.LOG_RETENTION_DAYS = 30
    log_row(started_at=timezone.now() - timedelta(days=31))
    assert "Deleted 1 rows" in ran("prune_logs")[0]


@pytest.mark.parametrize("wrong", ["90", "old", "999999999w"])
def test_prune_refuses_an_age_that_is_none(wrong):
    log_row()
    with pytest.raises(CommandError, match=r"^--older-than is"):
        ran("prune_logs", "--older-than", wrong)
    assert RequestLog.objects.count() == 1


# --- history ------------------------------------------------------------------------------------


def test_what_commands_change_is_in_the_key_s_history_without_the_secret():
    first = ran("issue_key", "laptop", "--owner", "ada")[0].strip()
    key = Key.objects.get()
    second = ran("rotate_key", str(key.pk), "--overlap", "1h")[0].strip()
    ran("revoke_key", str(key.pk))
    ran("revoke_key", str(key.pk))
    entries = LogEntry.objects.filter(object_id=str(key.pk)).order_by("pk")
    told = [entry.change_message for entry in entries]
    assert told == [
        f"Issued, {key_text.display_prefix(first)}…{key_text.last_four(first)}, "
        "by the command issue_key.",
        "Rotated by the command rotate_key, overlap 1h.",
        "Revoked by the command revoke_key.",
    ]
    assert not any(text in " ".join(told) for text in (first, second))
    assert {entry.user.username for entry in entries} == {"manage.py"}


def test_nobody_can_sign_in_as_the_account_of_the_commands():
    ran("issue_key", "laptop", "--owner", "ada")
    account = get_user_model().objects.get(username="manage.py")
    assert not account.is_active
    assert not account.has_usable_password()
