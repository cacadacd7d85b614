import re
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from keys import key_text
from keys.log.admin import RequestLogAdmin
from keys.log.explained import explain
from keys.models import DayTotal, Key, OwnerLimits
from tests.keys.factories import issued, log_row, user

pytestmark = pytest.mark.django_db

LIST = "admin:keys_key_changelist"
LOG = "admin:keys_requestlog_changelist"


@pytest.fixture
def operator():
    return signed_in(user("operator", is_staff=True, is_superuser=True))


@pytest.fixture
def clerk():
    """Staff who may see keys and the log, and change nothing."""
    clerk = user("clerk", is_staff=True)
    codenames = ["view_key", "view_requestlog"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return signed_in(clerk)


def signed_in(who, **options):
    # Without a password, so that no test waits for one to be hashed.
    browser = Client(**options)
    browser.force_login(who)
    return browser


def add_form(**fields):
    return {"name": "laptop", "owner": user().pk, **fields}


def shown_key(response):
    [text] = set(re.findall(r"sk-wai-[0-9A-Za-z]{49}", response.content.decode()))
    return text


def url(name, key):
    return reverse(f"admin:keys_key_{name}", args=[key.pk])


def texts(response):
    return re.sub(r"<[^>]+>|\s+", " ", response.content.decode())


# --- issue ----------------------------------------------------------------------------------------


def test_issuing_shows_a_working_key_once_and_no_cache_keeps_it(operator):
    response = operator.post(reverse("admin:keys_key_add"), add_form())
    text = shown_key(response)
    assert Key.objects.get().secrets.get().sha256 == key_text.digest(text).hex()
    assert "no-store" in response["Cache-Control"]
    again = operator.get(url("change", Key.objects.get()))
    assert text not in again.content.decode()


def test_the_key_is_in_no_session_no_history_and_no_message(operator):
    text = shown_key(operator.post(reverse("admin:keys_key_add"), add_form()))
    sessions = [str(session.get_decoded()) for session in Session.objects.all()]
    history = [entry.change_message + entry.object_repr for entry in LogEntry.objects.all()]
    assert history
    assert not any(text in kept for kept in sessions + history)
    assert text not in operator.get(reverse(LIST)).content.decode()


def test_limits_are_typed_in_usd_and_stored_as_integers(operator):
    form = add_form(
        daily_budget_nano_usd="1.5",
        daily_neurons_micro="100",
        requests_per_minute="7",
        allowed_models="@cf/meta/*\ngpt-4o, x",
        allowed_endpoints=["chat", "images"],
        allowed_networks="10.0.0.0/8",
    )
    operator.post(reverse("admin:keys_key_add"), form)
    key = Key.objects.get()
    assert (key.daily_budget_nano_usd, key.daily_neurons_micro) == (1_500_000_000, 100_000_000)
    assert key.allowed_models == ["@cf/meta/*", "gpt-4o", "x"]
    assert key.allowed_endpoints == ["chat", "images"]
    page = operator.get(url("change", key)).content.decode()
    assert 'value="1.5"' in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("daily_budget_nano_usd", "free"),
        ("daily_budget_nano_usd", "0"),
        ("requests_per_minute", "0"),
        ("concurrency", "-1"),
        ("allowed_networks", "10.0.0.1/8"),
        ("allowed_endpoints", "chats"),
        ("owner", ""),
        ("name", ""),
        ("requests_per_minute", "9" * 30),
    ],
)
def test_a_bad_value_is_an_error_on_the_form_and_issues_nothing(operator, field, value):
    response = operator.post(reverse("admin:keys_key_add"), add_form(**{field: value}))
    assert response.status_code == 200
    assert response.context["adminform"].form.errors
    assert not Key.objects.exists()


def test_a_changed_limit_reaches_the_workers(operator):
    key, _ = issued()
    before = Key.objects.get().revision
    operator.post(url("change", key), add_form(concurrency="3", owner=key.owner.pk))
    changed = Key.objects.get()
    assert changed.concurrency == 3
    assert changed.revision > before
    assert changed.secrets.count() == 1


# --- revoke and rotate ----------------------------------------------------------------------------


def test_revoking_asks_first_and_is_recorded(operator):
    key, _ = issued()
    assert "cannot be undone" in operator.get(url("revoke", key)).content.decode()
    assert Key.objects.get().revoked_at is None
    operator.post(url("revoke", key))
    assert Key.objects.get().revoked_at is not None
    assert LogEntry.objects.get().change_message == "Revoked."


def test_rotating_shows_the_new_key_once_and_no_cache_keeps_it(operator):
    key, old = issued()
    assert key.secrets.count() == 1
    response = operator.post(url("rotate", key), {"overlap": "1h"})
    assert shown_key(response) != old
    assert "no-store" in response["Cache-Control"]
    assert key.secrets.filter(expires_at=None).count() == 1
    assert shown_key(response) not in LogEntry.objects.get().change_message


@pytest.mark.parametrize("overlap", ["", "soon", "9999d", "99999999w"])
def test_rotating_with_a_bad_overlap_changes_nothing(operator, overlap):
    key, _ = issued()
    response = operator.post(url("rotate", key), {"overlap": overlap})
    assert "errorlist" in response.content.decode()
    assert key.secrets.count() == 1


def test_rotating_a_revoked_key_says_why_not(operator):
    key, _ = issued()
    key.revoke()
    response = operator.post(url("rotate", key), {"overlap": "1h"}, follow=True)
    assert "A revoked key cannot be rotated" in texts(response)


def test_rotating_a_key_out_of_force_says_what_helps(operator):
    expired, _ = issued(expires_at=timezone.now() - timedelta(days=6))
    unowned, _ = issued(owner=user("away"))
    type(unowned.owner).objects.filter(username="away").update(is_active=False)
    for key, says in (
        (expired, "let it expire later first, or issue a new key"),
        (unowned, "make it active first"),
    ):
        for response in (
            operator.get(url("rotate", key), follow=True),
            operator.post(url("rotate", key), {"overlap": "1h"}, follow=True),
        ):
            assert says in texts(response)
        assert key.secrets.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("owner", "away", "This account is not active: make it active first."),
        ("expires_at", "past", "This moment is over."),
    ],
)
def test_no_key_is_issued_that_opens_nothing(operator, field, value, says):
    form = add_form()
    if field == "owner":
        form["owner"] = user(value, is_active=False).pk
    else:
        form |= {"expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"}
    assert says in texts(operator.post(reverse("admin:keys_key_add"), form))
    assert not Key.objects.exists()


def test_a_revoked_key_keeps_its_limits_and_takes_a_note(operator):
    key, _ = issued(concurrency=3, daily_budget_nano_usd=1_500_000_000, allowed_models=["a", "b"])
    key.revoke()
    same = {"concurrency": "3", "daily_budget_nano_usd": "1.50", "allowed_models": "a, b"}
    for change in ({"concurrency": "9"}, {"daily_budget_nano_usd": "2"}, {"allowed_models": "a"}):
        form = add_form(notes="leaked", **{**same, **change})
        assert "revoked for good" in texts(operator.post(url("change", key), form))
    assert Key.objects.get().notes == ""
    operator.post(url("change", key), add_form(notes="leaked", **same))
    assert Key.objects.get().notes == "leaked"
    told = LogEntry.objects.order_by("-pk").first().change_message
    assert told == "Notes: none → leaked."


def test_an_expired_key_gets_a_later_last_day_or_a_note_and_no_earlier_one(operator):
    key, _ = issued(expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    form = add_form(notes="kept for the record")
    form |= {"expires_at_0": "2026-01-01", "expires_at_1": "00:00:00"}
    operator.post(url("change", key), form)
    assert Key.objects.get().notes == "kept for the record"
    form["expires_at_0"] = "2026-01-02"
    assert "This moment is over." in texts(operator.post(url("change", key), form))
    form["expires_at_0"] = "2099-01-02"
    operator.post(url("change", key), form)
    assert Key.objects.get().state() == "active"


@pytest.mark.parametrize("action", ["revoke", "rotate"])
def test_who_may_only_look_can_neither_revoke_nor_rotate(clerk, action):
    key, _ = issued()
    assert clerk.get(url("change", key)).status_code == 200
    assert clerk.get(url(action, key)).status_code == 403
    assert clerk.post(url(action, key), {"overlap": "1h"}).status_code == 403
    assert Key.objects.get().revoked_at is None


@pytest.mark.parametrize("action", ["revoke", "rotate"])
def test_strangers_are_sent_to_the_login(action):
    key, _ = issued()
    response = Client().post(url(action, key), {"overlap": "1h"})
    assert response.status_code == 302
    assert "/login/" in response["Location"]
    assert key.secrets.count() == 1


def test_a_revoke_without_the_csrf_token_is_refused():
    key, _ = issued()
    operator = user("operator", is_staff=True, is_superuser=True)
    strict = signed_in(operator, enforce_csrf_checks=True)
    assert strict.post(url("revoke", key)).status_code == 403
    assert Key.objects.get().revoked_at is None


def test_a_key_that_does_not_exist_is_404(operator):
    assert operator.get("/admin/keys/key/999/revoke/").status_code == 404


def test_only_a_superuser_may_delete(clerk):
    key, _ = issued()
    user("clerk").user_permissions.add(Permission.objects.get(codename="delete_key"))
    assert clerk.post(url("delete", key), {"post": "yes"}).status_code == 403
    assert Key.objects.exists()


# --- list and search ------------------------------------------------------------------------------


def test_the_list_shows_state_and_prefix(operator):
    key, _ = issued(concurrency=2, total_budget_nano_usd=5 * 10**9)
    key.revoke()
    page = texts(operator.get(reverse(LIST)))
    assert f"{key.prefix}…{key.last_four}" in page
    assert "revoked" in page
    assert "2 requests at once" in page and "$5.00 in total" in page


def test_the_list_costs_no_query_a_key(operator):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as caught:
            operator.get(reverse(LIST))
        return len(caught)

    issued("first")
    few = queries()
    for number in range(20):
        issued(f"key {number}")
    assert queries() <= few


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ("active", {"active"}),
        ("revoked", {"revoked"}),
        ("expired", {"expired"}),
        ("owner inactive", {"inactive"}),
        ("nonsense", {"active", "revoked", "expired", "inactive"}),
    ],
)
def test_keys_are_filtered_by_state(operator, state, names):
    issued("active")
    issued("revoked")[0].revoke()
    Key.objects.filter(pk=issued("expired")[0].pk).update(expires_at=timezone.now())
    issued("inactive", owner=user("away", is_active=False))
    response = operator.get(reverse(LIST), {"state": state})
    assert {key.name for key in response.context["cl"].result_list} == names


@pytest.mark.parametrize("query", ["laptop", "ada", "{prefix}"])
def test_keys_are_found_by_name_owner_and_prefix(operator, query):
    key, _ = issued("laptop")
    issued("other", owner=user("bob"))
    response = operator.get(reverse(LIST), {"q": query.format(prefix=key.prefix)})
    assert [found.pk for found in response.context["cl"].result_list] == [key.pk]


def test_a_pasted_key_leads_to_its_page_and_out_of_the_url(operator):
    key, text = issued()
    response = operator.get(reverse(LIST), {"q": f" {text} "})
    assert response.status_code == 302
    assert response["Location"] == url("change", key)


def test_a_pasted_key_of_somebody_else_leaves_the_url_too(operator):
    text = key_text.make_key()
    response = operator.get(reverse(LIST), {"q": text}, follow=True)
    assert "There is no such key here" in texts(response)
    assert text not in response.content.decode()


# --- use, filters, many at once, history ----------------------------------------------------------


def names(operator, **query):
    response = operator.get(reverse(LIST), query)
    return {key.name for key in response.context["cl"].result_list}


def test_the_list_shows_use_of_each_key(operator):
    key, _ = issued(daily_budget_nano_usd=10**9)
    today = timezone.now().astimezone(UTC).date()
    DayTotal.objects.create(day=today, key_id=key.pk, requests=7, cost_nano_usd=9 * 10**8)
    page = operator.get(reverse(LIST)).content.decode()
    assert "Requests, 14 days: 7, today 7" in page
    assert "90% of daily budget" in page
    page = texts(operator.get(url("change", key)))
    assert "of $1.00 90% used" in " ".join(page.split())


def test_keys_are_filtered_by_what_needs_a_look(operator):
    now = timezone.now()
    near, _ = issued("near", daily_budget_nano_usd=10)
    DayTotal.objects.create(day=now.astimezone(UTC).date(), key_id=near.pk, cost_nano_usd=8)
    old, _ = issued("unused")
    Key.objects.filter(pk=old.pk).update(created_at=now - timedelta(days=40))
    issued("expiring", expires_at=now + timedelta(days=3))
    issued("fine", expires_at=now + timedelta(days=30))
    assert names(operator, near="yes") == {"near"}
    assert names(operator, unused="yes") == {"unused"}
    assert names(operator, expiring="yes") == {"expiring"}
    assert len(names(operator, near="nonsense")) == 4


def test_many_keys_are_revoked_after_a_question(operator, clerk):
    keys = [issued(f"key {number}")[0] for number in range(3)]
    form = {"action": "revoke_selected", "_selected_action": [key.pk for key in keys[:2]]}
    assert "cannot be undone" in operator.post(reverse(LIST), form).content.decode()
    assert not Key.objects.filter(revoked_at__isnull=False).exists()
    clerk.post(reverse(LIST), {**form, "sure": "yes"})
    assert not Key.objects.filter(revoked_at__isnull=False).exists()
    response = operator.post(reverse(LIST), {**form, "sure": "yes"}, follow=True)
    assert "2 keys revoked." in texts(response)
    assert Key.objects.get(revoked_at=None) == keys[2]
    assert LogEntry.objects.filter(change_message="Revoked.").count() == 2


def test_the_history_says_what_was_and_what_is(operator):
    key, _ = issued(requests_per_minute=5, daily_budget_nano_usd=10**9)
    form = add_form(owner=user("grace").pk, requests_per_minute="7", allowed_models="@cf/a/*")
    operator.post(url("change", key), form)
    said = LogEntry.objects.get().get_change_message()
    assert "Requests per minute: 5 → 7." in said
    assert "Budget per day (USD): 1 → none." in said
    assert "Owner: ada → grace." in said
    assert "Allowed models: none → @cf/a/*." in said
    assert "5 → 7" in texts(operator.get(url("history", key)))


def test_issuing_is_in_the_history_with_the_shown_part_of_the_key(operator):
    operator.post(reverse("admin:keys_key_add"), add_form())
    key = Key.objects.get()
    said = LogEntry.objects.get().change_message
    assert said == f"Issued, {key.prefix}…{key.last_four}."


# --- request log ----------------------------------------------------------------------------------


def log_ids(operator, **query):
    response = operator.get(reverse(LOG), query)
    assert response.status_code == 200, response
    return [row.request_id for row in response.context["cl"].result_list]


def test_the_log_is_newest_first(operator):
    for day in (2, 3, 1):
        log_row(f"day {day}", started_at=datetime(2027, 1, day, tzinfo=UTC))
    assert log_ids(operator) == ["day 3", "day 2", "day 1"]


def test_nobody_adds_changes_or_deletes_rows(operator):
    row = log_row(cost_nano_usd=1_000_000)
    change = reverse("admin:keys_requestlog_change", args=[row.pk])
    assert "0.001" in texts(operator.get(change))
    assert operator.post(change, {"status": 1}).status_code == 403
    assert operator.get(reverse("admin:keys_requestlog_add")).status_code == 403
    delete = reverse("admin:keys_requestlog_delete", args=[row.pk])
    assert operator.post(delete, {"post": "yes"}).status_code == 403


def test_the_log_is_searched_by_whole_request_id_only(operator):
    log_row("req-1")
    log_row("req-12", model="req-1")
    assert log_ids(operator, q="req-1") == ["req-1"]
    assert log_ids(operator, q="req") == []


@pytest.mark.parametrize(
    "query",
    [
        {"key": "5"},
        {"owner": "6"},
        {"model": "@cf/meta/llama"},
        {"endpoint": "images"},
        {"status_class": "5xx"},
        {"status_class": "failed"},
        {"error": "rate_limited"},
        {"stream": "yes"},
        {"day": "2027-02-03"},
        {"day": "2027-02-01..2027-02-03"},
    ],
)
def test_each_filter_of_the_log_finds_its_rows(operator, query):
    log_row("other")
    log_row(
        "wanted",
        started_at=datetime(2027, 2, 3, 23, 59, tzinfo=UTC),
        key_id=5,
        owner_id=6,
        model="@cf/meta/llama",
        endpoint="images",
        status=502,
        error_code="rate_limited",
        stream=True,
    )
    assert log_ids(operator, **query) == ["wanted"]


@pytest.mark.parametrize(
    "name", ["key", "owner", "status_class", "day", "p", "all", "q", "older_than", "newer_than"]
)
@pytest.mark.parametrize("value", ["-1", "9" * 30, "\0", "²", "9" * 19 + "-1", "1-", ".."])
def test_odd_filter_values_never_break_the_log(operator, name, value):
    log_row()
    assert operator.get(reverse(LOG), {name: value}).status_code in (200, 302)


def test_the_log_offers_the_models_and_errors_that_it_holds(operator):
    for model in ("@cf/b", "@cf/a", "@cf/b"):
        log_row(model=model, status=429, error_code="rate_limit_exceeded")
    page = texts(operator.get(reverse(LOG)))
    assert "@cf/a" in page and "@cf/b" in page and "rate_limit_exceeded" in page


def test_pages_of_the_log_lead_to_one_another_whatever_comes_in(operator, monkeypatch):
    monkeypatch.setattr(RequestLogAdmin, "list_per_page", 3)
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    # Three rows of one moment: the id tells them apart.
    for number, seconds in enumerate([0, 1, 1, 1, 2, 3, 4]):
        log_row(str(number), started_at=moment + timedelta(seconds=seconds))

    def page(query=""):
        listed = operator.get(reverse(LOG) + query).context["cl"]
        return [row.request_id for row in listed.result_list], listed

    ids, first = page()
    assert (ids, first.newer_url) == (["6", "5", "4"], None)
    log_row("late", started_at=moment + timedelta(seconds=9))
    ids, second = page(first.older_url)
    assert ids == ["3", "2", "1"]
    ids, third = page(second.older_url)
    assert (ids, third.older_url) == (["0"], None)
    assert page(third.newer_url)[0] == ["3", "2", "1"]
    ids, back = page(second.newer_url)
    assert ids == ["6", "5", "4"]
    ids, newest = page(back.newer_url)
    assert (ids, newest.newer_url) == (["late"], None)


def test_a_page_keeps_its_filters(operator, monkeypatch):
    monkeypatch.setattr(RequestLogAdmin, "list_per_page", 1)
    for number in range(4):
        log_row(str(number), endpoint="images" if number % 2 else "chat")
    page = operator.get(reverse(LOG), {"endpoint": "images"}).context["cl"]
    older = operator.get(reverse(LOG) + page.older_url).context["cl"]
    assert [row.request_id for row in older.result_list] == ["1"]
    assert older.older_url is None


def test_the_log_is_never_counted_nor_joined(operator):
    log_row()
    with CaptureQueriesContext(connection) as caught:
        operator.get(reverse(LOG))
    on_log = [q["sql"] for q in caught if "keys_requestlog" in q["sql"]]
    assert on_log
    for sql in on_log:
        assert "LIMIT" in sql
        assert "JOIN" not in sql


@pytest.mark.parametrize("name", ["keys_key_changelist", "keys_requestlog_changelist"])
def test_pages_hold_no_inline_script_or_style(operator, name):
    issued()
    log_row()
    page = operator.get(reverse(f"admin:{name}")).content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page)
    assert "<style" not in page


def test_our_own_pages_hold_no_inline_script_or_style(operator):
    key, _ = issued()
    pages = [
        operator.get(url("revoke", key)),
        operator.get(url("rotate", key)),
        operator.post(url("rotate", key), {"overlap": "0s"}),
    ]
    for page in pages:
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page.content.decode())
        assert not re.search(r"<style|\sstyle=|\son\w+=", page.content.decode())


def test_failed_is_what_the_totals_count_as_errors(operator):
    for status in (200, 429, 499, 502):
        log_row(str(status), status=status)
    assert set(log_ids(operator, status_class="failed")) == {"429", "502"}
    assert log_ids(operator, status_class="gone") == ["499"]


def test_a_row_is_explained_by_the_prices_of_its_time(operator):
    row = log_row(
        prompt_tokens=1000,
        cached_tokens=400,
        completion_tokens=200,
        cost_nano_usd=1_000_000,
        ttft_ms=250,
        duration_ms=1000,
        attempts=2,
        price='{"amounts": {"input_tokens": 1000000000, "output_tokens": 2000000000,'
        ' "cached_input_tokens": 0}}',
    )
    page = texts(operator.get(reverse("admin:keys_requestlog_change", args=[row.pk])))
    page = " ".join(page.split())
    assert "input tokens 600 $1 per million 0.0006" in page
    assert "output tokens 200 $2 per million 0.0004" in page
    assert "total 0.001" in page
    assert "(2 attempts) 250 ms" in page


@pytest.mark.parametrize("price", [None, "", "[]", "{}", "not json", '{"amounts": {"images": 5}}'])
def test_a_row_whose_cost_has_no_lines_is_explained_too(price):
    row = log_row(price=price, cost_nano_usd=7, prompt_tokens=3)
    assert explain(row).lines == []
    assert explain(row).steps


def test_an_error_is_told_in_words(operator):
    row = log_row(status=502, error_code="upstream_error", error_message="<b>It broke.</b>")
    page = operator.get(reverse("admin:keys_requestlog_change", args=[row.pk])).content.decode()
    assert "&lt;b&gt;It broke.&lt;/b&gt;" in page


async def _read(response):
    return b"".join([piece async for piece in response.streaming_content]).decode()


def test_the_export_holds_what_the_list_is_filtered_to(operator):
    for number in range(3):
        log_row(f"req-{number}", endpoint="images" if number else "chat")
    response = operator.get(reverse("admin:keys_requestlog_export"), {"endpoint": "images"})
    lines = async_to_sync(_read)(response).splitlines()
    assert lines[0].startswith("started_at,request_id,key,")
    assert [line.split(",")[1] for line in lines[1:]] == ["req-1", "req-2"]


def test_strangers_and_staff_without_the_permission_get_no_export():
    assert Client().get(reverse("admin:keys_requestlog_export")).status_code == 302
    staff = signed_in(user("nobody", is_staff=True))
    assert staff.get(reverse("admin:keys_requestlog_export")).status_code == 403


# --- the account's neuron day ---------------------------------------------------------------------


def test_the_log_shows_the_accounts_neurons_of_the_day(clerk, settings):
    today = timezone.now().astimezone(UTC).date()
    DayTotal.objects.create(day=today, neurons_micro=12_345_600_000, unpriced=2)
    page = texts(clerk.get(reverse(LOG)))
    assert "12,346 used of 10,000 free" in page
    assert "used up" in page and "2 requests of unknown cost" in page
    settings.FREE_DAILY_NEURONS = 0
    page = texts(clerk.get(reverse(LOG)))
    assert "12,346 used ." in page or "12,346 used." in page
    assert "free" not in page


def test_the_log_shows_when_workers_ai_said_that_neurons_are_used_up(operator):
    now = timezone.now()
    log_row(started_at=now, status=429, error_code="insufficient_quota")
    shown = f"Workers AI said at {now.astimezone(UTC):%H:%M} UTC that they are used up"
    assert shown in texts(operator.get(reverse(LOG)))


# --- limits of owners -----------------------------------------------------------------------------


def test_an_operator_limits_all_keys_of_an_owner(operator):
    owner = user("grace")
    operator.post(
        "/admin/keys/ownerlimits/add/",
        {"owner": owner.pk, "requests_per_minute": "60", "monthly_budget_nano_usd": "12.50"},
    )
    limits = OwnerLimits.objects.get(owner=owner)
    assert (limits.requests_per_minute, limits.monthly_budget_nano_usd) == (60, 12_500_000_000)
    assert "$12.50 per month" in operator.get("/admin/keys/ownerlimits/").content.decode()


def test_an_operator_changes_and_removes_an_owners_limits(operator):
    owner = user("grace")
    OwnerLimits.objects.create(owner=owner, concurrency=3)
    operator.post(f"/admin/keys/ownerlimits/{owner.pk}/change/", {"concurrency": "4"})
    assert OwnerLimits.objects.get().concurrency == 4
    operator.post(f"/admin/keys/ownerlimits/{owner.pk}/delete/", {"post": "yes"})
    assert not OwnerLimits.objects.exists()


# --- nothing to show ------------------------------------------------------------------------------


def test_no_list_counts_rows_beside_its_filters(operator):
    log_row()
    for name in (LIST, LOG):
        assert "Show counts" not in texts(operator.get(reverse(name), {"_facets": "True"}))


def test_an_empty_list_says_what_to_do_next(operator):
    assert "A request appears here as soon as it is answered" in texts(operator.get(reverse(LOG)))
    assert "Issue a key" in texts(operator.get(reverse(LIST)))
    filtered = texts(operator.get(reverse(LIST), {"q": "nobody"}))
    assert "Nothing matches" in filtered and "Show all" in filtered
