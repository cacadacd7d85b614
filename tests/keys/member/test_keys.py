"""A member makes, limits, rotates and revokes own keys, and meets nobody else's."""

import html
import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from keys import key_text
from keys.member import policy
from keys.models import DayTotal, Key, Limit, OwnerLimits, Reservation
from tests.keys.factories import issued, user
from tests.keys.member.conftest import signed_in
from tests.keys.test_limit_commands import amounts_of

NEW = "/keys/new/"


def shown_key(response: Any) -> str:
    [text] = set(re.findall(r"sk-wai-[0-9A-Za-z]{49}", response.content.decode()))
    return text


def texts(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def url(key: Key, what: str = "") -> str:
    return f"/keys/{key.pk}/{what}"


# --- Who sees what --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", NEW, "/keys/1/", "/keys/1/revoke/", "/usage/", "/requests/", "/playground/"]
)
def test_every_page_asks_a_stranger_to_sign_in(db: None, path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("what", ["", "limits/", "rotate/", "revoke/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_key_of_somebody_else_is_not_there(member: Client, what: str, method: str) -> None:
    key, _ = issued(owner=user("bob"))
    if (what, method) == ("", "post"):
        return
    assert getattr(member, method)(url(key, what)).status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None and key.secrets.count() == 1


def test_an_operators_own_page_has_own_keys_only_and_a_way_to_the_admin(db: None) -> None:
    issued("of ada")
    operator = signed_in(user("operator", is_staff=True, is_superuser=True))
    page = operator.get("/")
    assert "of ada" not in texts(page)
    assert 'href="/admin/"' in page.content.decode()
    assert 'href="/admin/"' not in signed_in(user("ada")).get("/").content.decode()


def test_the_shared_key_belongs_to_nobody(member: Client) -> None:
    key = Key.objects.create(name="shared", is_static=True)
    assert member.get(url(key)).status_code == 404


@pytest.mark.parametrize("number", [10**30, 0, 2**63])
def test_numbers_of_no_key_are_not_found(member: Client, number: int) -> None:
    assert member.get(f"/keys/{number}/").status_code == 404


def test_a_stranger_to_the_pages_is_told_so_in_their_look(member: Client) -> None:
    assert "not yours" in texts(member.get("/no/such/page/"))


def test_refusals_are_told_in_the_look_of_the_pages(member: Client, db: None) -> None:
    clerk = signed_in(user("clerk", is_staff=True))
    refused = clerk.get(reverse("admin:keys_key_changelist"))
    assert refused.status_code == 403 and "does not have the permission" in texts(refused)
    bad = member.get("/", headers={"host": "not a host"})
    assert bad.status_code == 400 and "cannot be answered" in texts(bad)


def test_pages_are_in_no_cache_and_under_the_strict_policy(member: Client, ada: Any) -> None:
    key, _ = issued(owner=ada)
    for path in ("/", url(key), NEW, "/usage/", "/requests/", "/playground/"):
        response = member.get(path)
        assert response.status_code == 200
        assert "no-store" in response["Cache-Control"] or "private" in response["Cache-Control"]
        assert "default-src 'self'" in response["Content-Security-Policy"]
        page = response.content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\bstyle=|<style", page), path


# --- What the first page shows --------------------------------------------------------------------


def test_a_key_is_shown_with_what_it_used_of_its_limits(member: Client, ada: Any) -> None:
    key, _ = issued(
        owner=ada, daily_budget_nano_usd=2 * 10**9, requests_per_minute=60, allowed_models=["@cf/*"]
    )
    today = timezone.now().astimezone(UTC).date()
    of = {"key_id": key.pk, "owner_id": ada.pk, "endpoint": "chat", "model": "m"}
    DayTotal.objects.create(
        day=today, requests=7, cost_nano_usd=1_700_000_000, refused_requests=3, **of
    )
    DayTotal.objects.create(day=date(2026, 1, 1), requests=9, cost_nano_usd=10**9, **of)
    page = texts(member.get("/"))
    assert "$1.70 of $2.00" in page
    assert "$2.70" in page
    assert "7 requests today" in page
    assert "Refused by a limit today: 3 by requests per minute" in page
    assert "60 requests per minute" in page and "models: @cf/*" in page
    assert 'width="85"' in member.get("/").content.decode()


def test_limits_over_all_keys_are_shown(member: Client, ada: Any) -> None:
    OwnerLimits.objects.create(owner=ada, monthly_budget_nano_usd=5 * 10**9, concurrency=4)
    page = texts(member.get("/"))
    assert "of $5.00" in page and "4 requests at once" in page


def test_what_runs_counts_as_used(member: Client, ada: Any) -> None:
    key, _ = issued(owner=ada, total_budget_nano_usd=10**9)
    Reservation.objects.create(
        id=uuid.uuid4(),
        writer=uuid.uuid4(),
        key_id=key.pk,
        owner_id=ada.pk,
        day=timezone.now().astimezone(UTC).date(),
        cost_nano_usd=10**9,
        neurons_micro=0,
        expires_at=timezone.now() + timedelta(minutes=1),
    )
    page = texts(member.get("/"))
    assert "up to $1.00 more by running requests" in page and "used up" in page


def test_the_number_of_queries_does_not_grow_with_the_keys(member: Client, ada: Any) -> None:
    counts = []
    for _ in range(2):
        issued(owner=ada)
        with CaptureQueriesContext(connection) as queries:
            member.get("/")
        counts.append(len(queries))
        issued(owner=ada)
    assert counts[0] == counts[1]


def test_who_has_no_key_is_told_what_to_do_next(member: Client, settings: Any) -> None:
    assert "Make your first key" in texts(member.get("/"))
    settings.MEMBER_MAX_KEYS = 0
    assert "Ask an operator" in texts(member.get("/"))


# --- Make -----------------------------------------------------------------------------------------


def test_a_made_key_is_shown_once_with_snippets_that_use_it(member: Client, ada: Any) -> None:
    response = member.post(NEW, {"name": "laptop"})
    text = shown_key(response)
    key = Key.objects.get()
    assert (key.owner, key.name) == (ada, "laptop")
    assert key.secrets.get().sha256 == key_text.digest(text).hex()
    assert "no-store" in response["Cache-Control"]
    page = response.content.decode()
    for app in ("Python", "Node", "curl", "Cherry Studio", "Open WebUI"):
        assert app in page
    assert "http://testserver/v1" in page
    assert page.count(text) >= 5
    sessions = [str(session.get_decoded()) for session in Session.objects.all()]
    assert not any(text in session for session in sessions)
    for path in ("/", url(key)):
        assert text not in member.get(path).content.decode()


def test_the_base_url_is_the_one_that_the_member_came_by(ada: Any, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["gateway.example.com"]
    browser = signed_in(ada, headers={"host": "gateway.example.com"})
    page = browser.post(NEW, {"name": "x"}, secure=True).content.decode()
    assert "https://gateway.example.com/v1" in page


def test_a_key_is_made_with_limits_of_the_members_own(member: Client) -> None:
    form = {
        "name": "x",
        "daily_budget_nano_usd": "1.5",
        "daily_neurons_micro": "100",
        "requests_per_minute": "7",
        "expires_on": "2099-12-31",
        "allowed_models": "@cf/meta/*\n@cf/openai/*",
        "allowed_endpoints": ["chat"],
        "allowed_networks": "10.0.0.0/8",
    }
    shown_key(member.post(NEW, form))
    key = Key.objects.get()
    assert (key.daily_budget_nano_usd, key.daily_neurons_micro) == (1_500_000_000, 100_000_000)
    assert key.requests_per_minute == 7
    assert key.allowed_models == ["@cf/meta/*", "@cf/openai/*"]
    assert key.allowed_endpoints == ["chat"]
    assert key.allowed_networks == ["10.0.0.0/8"]
    assert key.expires_at == datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "required"),
        ("name", "n" * 121, "120"),
        ("name", "nul\x00", "Null"),
        ("daily_budget_nano_usd", "free", "number above 0"),
        ("daily_budget_nano_usd", "-1", "number above 0"),
        ("daily_budget_nano_usd", "1e999999999", "number above 0"),
        ("requests_per_minute", "0", "number above 0"),
        ("requests_per_minute", "9" * 5000, "number above 0"),
        ("expires_on", "2020-01-01", "This day is over"),
        ("expires_on", "soon", "valid date"),
        ("allowed_networks", "10.0.0.1/8", "is not a network"),
        ("allowed_endpoints", "chats", "not one of"),
        ("allowed_models", "m" * 2001, "2000"),
    ],
)
def test_a_bad_value_is_told_and_makes_nothing(
    member: Client, field: str, value: str, says: str
) -> None:
    response = member.post(NEW, {"name": "x", field: value})
    assert response.status_code == 200
    assert says in texts(response)
    assert not Key.objects.exists()


CEILING = ["rpm=60", "daily-usd=2", "days=30", "models=@cf/meta/*", "endpoints=chat;images"]


def test_what_an_operator_allows_is_what_a_key_gets(member: Client, settings: Any) -> None:
    settings.MEMBER_KEY_LIMITS = [*CEILING, "networks=10.0.0.0/8"]
    assert "At most 60." in texts(member.get(NEW))
    member.post(NEW, {"name": "x"})
    key = Key.objects.get()
    assert (key.requests_per_minute, key.daily_budget_nano_usd) == (60, 2 * 10**9)
    assert key.allowed_models == ["@cf/meta/*"]
    assert key.allowed_endpoints == ["chat", "images"]
    assert key.allowed_networks == ["10.0.0.0/8"]
    days = (key.expires_at - timezone.now()).total_seconds() / 86_400
    assert 29.9 < days <= 30


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("requests_per_minute", "61"),
        ("daily_budget_nano_usd", "2.000001"),
        ("expires_on", "2099-01-01"),
        ("allowed_models", "@cf/*"),
        ("allowed_endpoints", "embeddings"),
    ],
)
def test_more_than_an_operator_allows_is_refused(
    member: Client, settings: Any, field: str, value: str
) -> None:
    settings.MEMBER_KEY_LIMITS = CEILING
    assert member.post(NEW, {"name": "x", field: value}).status_code == 200
    assert not Key.objects.exists()


def test_less_than_an_operator_allows_is_taken(member: Client, settings: Any) -> None:
    settings.MEMBER_KEY_LIMITS = CEILING
    member.post(NEW, {"name": "x", "requests_per_minute": "6", "allowed_models": "@cf/meta/llama"})
    key = Key.objects.get()
    assert (key.requests_per_minute, key.allowed_models) == (6, ["@cf/meta/llama"])


def test_only_keys_in_force_count_against_the_most(member: Client, ada: Any, settings: Any) -> None:
    settings.MEMBER_MAX_KEYS = 1
    issued("expired", owner=ada, expires_at=timezone.now() - timedelta(days=1))
    revoked, _ = issued("revoked", owner=ada)
    revoked.revoke()
    issued("of bob", owner=user("bob"))
    shown_key(member.post(NEW, {"name": "one"}))
    assert member.post(NEW, {"name": "two"}).status_code == 302
    assert not Key.objects.filter(name="two").exists()
    assert "as many keys as you may make (1)" in texts(member.get("/"))
    assert "as many active keys as you may" in texts(member.get(NEW))


def test_an_operator_can_allow_one_member_more_or_none(
    member: Client, ada: Any, settings: Any
) -> None:
    settings.MEMBER_MAX_KEYS = 0
    OwnerLimits.objects.create(owner=ada, max_keys=1)
    shown_key(member.post(NEW, {"name": "one"}))
    settings.MEMBER_MAX_KEYS = 9
    OwnerLimits.objects.update(max_keys=0)
    assert member.post(NEW, {"name": "two"}).status_code == 302
    assert Key.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_keys_made_at_once_as_many_come_to_be_as_may(
    settings: Any, run_on_threads: Callable[[Callable[[int], bool], int], list[bool]]
) -> None:
    settings.MEMBER_MAX_KEYS = 3
    ada = user("ada")

    def make(number: int) -> bool:
        try:
            policy.make_key(ada, name=str(number))
        except policy.MayNotMakeKeys:
            return False
        return True

    assert sum(run_on_threads(make, 6)) == 3
    assert Key.objects.count() == 3


# --- Change, rotate, revoke -----------------------------------------------------------------------


def test_limits_can_be_lowered_and_reach_the_workers(member: Client, ada: Any) -> None:
    key, _ = issued(owner=ada, requests_per_minute=60, allowed_models=["@cf/meta/*"])
    before = Key.objects.get().revision
    form = {"requests_per_minute": "6", "concurrency": "2", "allowed_models": "@cf/meta/llama"}
    assert member.post(url(key, "limits/"), form).status_code == 302
    key = Key.objects.get()
    assert (key.requests_per_minute, key.concurrency) == (6, 2)
    assert key.allowed_models == ["@cf/meta/llama"]
    assert key.revision > before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("requests_per_minute", "61"),
        ("allowed_models", "*"),
        ("allowed_endpoints", "images"),
        ("allowed_networks", "0.0.0.0/0"),
        ("expires_on", "2099-12-31"),
    ],
)
def test_what_an_operator_set_cannot_be_raised(
    member: Client, ada: Any, field: str, value: str
) -> None:
    end = datetime(2098, 1, 1, 12, tzinfo=UTC)
    limits = {"requests_per_minute": 60, "allowed_models": ["@cf/meta/*"], "expires_at": end}
    limits |= {"allowed_endpoints": ["chat"], "allowed_networks": ["10.0.0.0/8"]}
    key, _ = issued(owner=ada, **limits)
    assert member.post(url(key, "limits/"), {field: value}).status_code == 200
    key = Key.objects.get()
    assert {name: getattr(key, name) for name in limits} == limits


def test_limits_of_the_one_form_are_added_and_made_stricter(member: Client, ada: Any) -> None:
    key, _ = issued(owner=ada)
    sent = {"more_limits": "rpd=500\nweekly-usd=5 @cf/b/*, @cf/a/*", "user_limits": "daily-usd=1"}
    assert member.post(url(key, "limits/"), sent).status_code == 302
    amounts = {
        ("key", "requests", "day"): 500,
        ("key", "usd", "week", "@cf/a/*", "@cf/b/*"): 5_000_000_000,
        ("user", "usd", "day"): 1_000_000_000,
    }
    assert amounts_of(key) == amounts
    page = member.get(url(key, "limits/")).content.decode()
    assert "rpd=500\nweekly-usd=5 @cf/a/* @cf/b/*" in page
    assert "each user: $1.00 per day" in texts(member.get(url(key)))
    assert member.post(url(key, "limits/"), {"more_limits": "rpd=50"}).status_code == 302
    assert amounts_of(key) == amounts | {("key", "requests", "day"): 50}
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        "Limited by its owner: rpd: none → 500, weekly-usd @cf/b/* @cf/a/*: none → 5, "
        "each user: daily-usd: none → 1.",
        "Limited by its owner: rpd: 500 → 50.",
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("rpd=501", "rpd=501: enter at most 500, as it is now."),
        ("rpd=", "rpd=: you can make a limit stricter, but not take it away."),
        ("rpm=20", "is set in the field “requests per minute” of the key itself"),
        ("rps=20", "&#x27;rps=20&#x27;: it begins with one of rpm, "),
        ("rpd=5 @a\nrpd=6 @a", "rpd @a is there twice."),
        ("rpd=5 " + "a" * 201, "A pattern has at most 200 characters."),
        ("\n".join(f"rpd=5 @a{n}" for n in range(20)), "A key has at most 20 limits"),
    ],
)
def test_a_limit_that_is_looser_or_wrong_says_why(
    member: Client, ada: Any, lines: str, says: str
) -> None:
    key, _ = issued(owner=ada)
    Limit.objects.create(
        holder_kind="key", holder_id=key.pk, what="requests", window="day", amount=500
    )
    answer = member.post(url(key, "limits/"), {"more_limits": lines, "concurrency": "1"})
    assert says in answer.content.decode()
    assert amounts_of(Key.objects.get()) == {("key", "requests", "day"): 500}


def test_empty_fields_leave_a_limit_as_it_is(member: Client, ada: Any) -> None:
    end = datetime(2098, 1, 1, 12, tzinfo=UTC)
    key, _ = issued(owner=ada, daily_budget_nano_usd=5, allowed_models=["a"], expires_at=end)
    assert member.post(url(key, "limits/"), {}).status_code == 302
    key = Key.objects.get()
    assert (key.daily_budget_nano_usd, key.allowed_models, key.expires_at) == (5, ["a"], end)


def test_a_form_sent_as_it_came_changes_nothing(member: Client, ada: Any) -> None:
    end = datetime(2098, 1, 1, 12, tzinfo=UTC)
    key, _ = issued(
        owner=ada, daily_neurons_micro=10**6, expires_at=end, allowed_endpoints=["chat"]
    )
    page = member.get(url(key, "limits/")).content.decode()
    sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    assert sent["expires_on"] == "2098-01-01" and sent["daily_neurons_micro"] == "1"
    member.post(url(key, "limits/"), sent)
    key = Key.objects.get()
    assert (key.daily_neurons_micro, key.expires_at) == (10**6, end)


def test_rotating_shows_a_new_secret_and_both_work_for_the_overlap(
    member: Client, ada: Any
) -> None:
    key, old = issued(owner=ada)
    new = shown_key(member.post(url(key, "rotate/"), {"overlap": "2h"}))
    assert new != old
    ends = {s.sha256: s.expires_at for s in key.secrets.all()}
    assert ends[key_text.digest(new).hex()] is None
    left = ends[key_text.digest(old).hex()] - timezone.now()
    assert timedelta(minutes=119) < left <= timedelta(hours=2)


@pytest.mark.parametrize("overlap", ["", "soon", "31d", "-1h", "9999999999d"])
def test_an_overlap_that_is_none_or_too_long_rotates_nothing(
    member: Client, ada: Any, overlap: str
) -> None:
    key, _ = issued(owner=ada)
    assert member.post(url(key, "rotate/"), {"overlap": overlap}).status_code == 200
    assert key.secrets.count() == 1


def test_revoking_asks_first(member: Client, ada: Any) -> None:
    key, _ = issued(owner=ada)
    assert "cannot be undone" in texts(member.get(url(key, "revoke/")))
    assert Key.objects.get().revoked_at is None
    page = member.post(url(key, "revoke/"), follow=True)
    assert "laptop is revoked" in texts(page)
    assert Key.objects.get().revoked_at is not None
    assert "Keys that no longer work (1)" in texts(page)


@pytest.mark.parametrize("what", ["limits/", "rotate/"])
def test_a_key_out_of_force_is_not_changed_any_more(member: Client, ada: Any, what: str) -> None:
    key, _ = issued(owner=ada)
    key.revoke()
    assert member.get(url(key, what)).status_code == 404
    assert member.post(url(key, what), {"overlap": "1h"}).status_code == 404
    assert "revoked" in texts(member.get(url(key)))


@pytest.mark.parametrize("what", ["limits/", "rotate/"])
def test_what_helps_is_said_where_a_key_is_out_of_force(
    member: Client, ada: Any, what: str
) -> None:
    expired, _ = issued(owner=ada, expires_at=timezone.now() - timedelta(days=6))
    revoked, _ = issued(owner=ada)
    revoked.revoke()
    for key, says in (
        (expired, "laptop expired on 20"),
        (expired, "Make another key, or ask an operator to let it expire later"),
        (revoked, "laptop is revoked, which cannot be undone. Make another key"),
    ):
        for response in (
            member.get(url(key, what)),
            member.post(url(key, what), {"overlap": "1h"}),
        ):
            assert response.status_code == 404 and says in texts(response)
        assert key.secrets.count() == 1


@pytest.mark.parametrize("what", ["limits/", "rotate/", "revoke/"])
def test_a_form_from_elsewhere_does_nothing(ada: Any, what: str) -> None:
    key, _ = issued(owner=ada)
    browser = signed_in(ada, enforce_csrf_checks=True)
    assert browser.post(url(key, what), {"overlap": "0s"}).status_code == 403
    assert browser.post(NEW, {"name": "x"}).status_code == 403
    key.refresh_from_db()
    assert key.revoked_at is None and key.secrets.count() == 1 and Key.objects.count() == 1


def test_snippets_name_a_model_that_the_key_may_use(member: Client, ada: Any) -> None:
    plain, _ = issued(owner=ada)
    named, _ = issued(owner=ada, allowed_models=["@cf/x/*", "@cf/meta/named"])
    assert "@cf/openai/gpt-oss-20b" in member.get(url(plain)).content.decode()
    assert "@cf/meta/named" in member.get(url(named)).content.decode()


def test_snippets_of_agents_name_a_model_that_calls_tools(
    member: Client, ada: Any, settings: Any
) -> None:
    key, _ = issued(owner=ada, allowed_models=["@cf/x/*"])
    settings.AGENT_MODEL = f"{__name__}.largest"
    page = html.unescape(member.get(url(key)).content.decode())
    assert '"CLAUDE_CODE_MAX_CONTEXT_TOKENS": "77000"' in page
    assert 'model = "@cf/x/large"' in page
    for where in ("~/.claude/settings.json", "~/.codex/config.toml", "librechat.yaml"):
        assert where in page


def largest(allows: Callable[[str], bool]) -> tuple[str, int]:
    assert allows("@cf/x/large") and not allows("@cf/y/large")
    return "@cf/x/large", 77_000


def test_a_name_cannot_bring_markup_along(member: Client) -> None:
    member.post(NEW, {"name": "<script>alert(1)</script>", "allowed_models": "<b>*"})
    key = Key.objects.get()
    for path in (
        "/",
        url(key),
        url(key, "limits/"),
        url(key, "revoke/"),
        "/requests/",
        "/playground/",
    ):
        page = member.get(path).content.decode()
        assert "<script>alert" not in page and "<b>*" not in page


def test_operators_see_in_the_history_what_a_member_did(member: Client, ada: Any) -> None:
    secrets = [shown_key(member.post(NEW, {"name": "laptop"}))]
    key = Key.objects.get()
    member.post(url(key, "limits/"), {"concurrency": "2"})
    secrets.append(shown_key(member.post(url(key, "rotate/"), {"overlap": "1h"})))
    member.post(url(key, "revoke/"))
    entries = LogEntry.objects.filter(object_id=key.pk, user=ada).order_by("pk")
    assert [entry.change_message for entry in entries] == [
        "Made by its owner.",
        "Limited by its owner: Requests at once.",
        "Rotated by its owner, overlap 1h.",
        "Revoked by its owner.",
    ]
    assert not any(secret in str(list(entries.values())) for secret in secrets)
