"""What is found about keys and the account, and when it is found no more."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from alerts import store
from alerts.findings import Finding
from alerts.models import Alert
from catalog.refused_access import refused_access, refused_by_ai_gateway
from keys.alerting import access, ends, habit, models_in_use, neurons, raises
from keys.alerting.habit import far_above
from keys.alerting.owners import choose_mail, wants_mail
from keys.amounts import MICRO
from keys.models import DayTotal, Key
from tests.keys.factories import issued, log_row, user

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TODAY = NOW.date()
CENT = 10**7
pytestmark = pytest.mark.django_db


def total(day: date = TODAY, key: "Key | None" = None, **fields: Any) -> None:
    place = {"key_id": key.pk if key else 1, "key_name": "laptop", "owner_name": "ada"}
    DayTotal.objects.create(
        **{"day": day, "model": "@cf/a/b", "endpoint": "chat", **place, **fields}
    )


@pytest.mark.parametrize(
    ("used", "level", "words"),
    [
        (700, None, ""),
        (999, None, ""),
        (8_000, 80, "80% of the account's free neurons"),
        (9_999, 80, "99%"),
        (10_000, 100, "are used up"),
        (12_000, 100, "are used up"),
    ],
)
def test_the_account_s_neurons(used: int, level: "int | None", words: str) -> None:
    total(neurons_micro=used * MICRO)
    found = [each for each in neurons.find(NOW) if ":used:" in each.series]
    assert [each.level for each in found] == ([] if level is None else [level])
    assert not found or words in found[0].text


def test_neurons_that_will_end_today_are_told_before() -> None:
    total(neurons_micro=6_000 * MICRO)
    (found,) = neurons.find(NOW)
    assert "end at 20:00 UTC" in found.text
    assert list(neurons.find(NOW.replace(hour=20))) == [], "at that rate they last"


def test_cloudflare_s_word_counts_whatever_the_sums_say() -> None:
    log_row(status=429, error_code="insufficient_quota", started_at=NOW).save()
    (found,) = neurons.find(NOW + timedelta(minutes=1))
    assert (found.level, found.severity) == (100, "critical") and "Cloudflare says" in found.text


def test_an_account_that_pays_has_no_such_alarm(settings: Any) -> None:
    settings.FREE_DAILY_NEURONS = 0
    total(neurons_micro=50_000 * MICRO)
    assert list(neurons.find(NOW)) == []


@pytest.mark.parametrize(
    ("expires_in_days", "is_found"), [(-1, False), (1, True), (7, True), (7.1, False)]
)
def test_keys_that_end_soon(expires_in_days: float, is_found: bool) -> None:
    key, _ = issued(expires_at=NOW + timedelta(days=expires_in_days))
    assert len(list(ends.find(NOW))) == is_found
    Key.objects.filter(pk=key.pk).update(revoked_at=NOW)
    assert list(ends.find(NOW)) == []


def test_an_owner_gets_mail_unless_they_do_not_want_it(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail"
    ada = user(email="ada@example.com")
    key, _ = issued(owner=ada, expires_at=NOW + timedelta(days=1))
    (found,) = ends.find(NOW)
    assert found.mail_to == ("ada@example.com",)
    assert found.owner_path.endswith(f"/keys/{key.pk}/")
    choose_mail(ada, False)
    assert [each.mail_to for each in ends.find(NOW)] == [()] and not wants_mail(ada)
    choose_mail(ada, True)
    settings.EMAIL_URL = ""
    assert [each.mail_to for each in ends.find(NOW)] == [()]


@pytest.mark.parametrize(
    ("days", "today", "is_far"),
    [
        ([100] * 30, 195, False),
        ([100] * 30, 201, True),
        ([1] * 30, 3, True),
        ([90, 100, 110] * 10, 221, True),
        ([10, 1000] * 10, 2500, False),
        ([10] * 29 + [1000], 1500, False),
        ([100] * 6, 10_000, False),
        ([100] * 6 + [0] * 24, 10_000, False),
        ([100] * 7 + [0] * 23, 201, True),
    ],
)
def test_a_habit_is_the_key_s_own(days: list[int], today: int, is_far: bool) -> None:
    limit = far_above(days)
    assert (limit is not None and today > limit) == is_far


def test_a_key_far_above_its_habit_is_found_the_same_day() -> None:
    steady, bursty = issued("steady")[0], issued("bursty")[0]
    for back in range(1, 31):
        day = TODAY - timedelta(days=back)
        total(day, steady, cost_nano_usd=5 * CENT)
        total(day, bursty, cost_nano_usd=(5 if back % 2 else 90) * CENT)
    for key in (steady, bursty):
        total(key=key, cost_nano_usd=60 * CENT)
        # Of another model: a day is all of it.
        total(key=key, model="@cf/c/d", cost_nano_usd=20 * CENT)
    (found,) = habit.find(NOW)
    assert (found.holder.name, found.level) == ("steady", 0)
    assert found.figures["spent_today_usd"] == 0.8 and "$0.05" in found.text
    assert found.series.endswith(str(TODAY)), "tomorrow it would be told again"


@pytest.mark.parametrize(
    ("finding", "refusal"),
    [
        (refused_access(403, 10000, NOW), "upstream_misconfigured"),
        (refused_by_ai_gateway(403, is_policy=True, now=NOW), "policy_denied"),
        (refused_by_ai_gateway(429, is_policy=False, now=NOW), "insufficient_quota"),
    ],
)
def test_access_that_is_refused_is_open_until_a_request_succeeds(
    finding: Finding, refusal: str
) -> None:
    store.tell(finding, NOW)

    def look(after: int) -> str:
        now = NOW + timedelta(minutes=after)
        store.record(access.find(now), [finding.event], now)
        return Alert.objects.get().state

    def request(name: str, after: int, status: int, code: str = "") -> None:
        log_row(
            name, status=status, error_code=code, started_at=NOW + timedelta(minutes=after)
        ).save()

    assert look(1) == "open"
    request("a", 2, 502, refusal)
    request("b", 3, 400, "invalid_request")
    assert look(4) == "open"
    request("c", 5, 200)
    assert look(6) == "over"
    store.tell(finding, NOW)
    request("d", 7, 502, refusal)
    assert look(8) == "open"
    assert Alert.objects.count() == 1


def test_models_in_use_are_those_of_late() -> None:
    total(requests=1)
    total(TODAY - timedelta(days=29), model="@cf/old/one", requests=1)
    total(TODAY - timedelta(days=31), model="@cf/older/one", requests=1)
    total(model="@cf/refused/one", requests=0, refused_usd=3)
    assert models_in_use.since(NOW) == {"@cf/a/b", "@cf/old/one"}


def test_a_raise_is_asked_for_and_answered(settings: Any) -> None:
    settings.EMAIL_URL, settings.ALERT_WEBHOOKS = "smtp://mail", []
    ada, lead = user(email="ada@example.com"), user("lead", email="lead@example.com")
    wanted = "$20 more of the daily budget of the key laptop"
    raises.tell_asked(3, ada, wanted=wanted, why="a demo", lead_ids=[lead.pk])
    asked = Alert.objects.get()
    assert (asked.state, asked.text) == ("open", f"ada asks for {wanted}: a demo")
    assert [each.channel for each in asked.deliveries.all()] == ["mail:lead@example.com"]
    raises.tell_answered(3, ada, wanted=wanted, is_granted=True, by="lead")
    answered = Alert.objects.get(event="raise_answered")
    assert "lead has granted what ada asked for" in answered.text
    assert [each.channel for each in answered.deliveries.all()] == ["mail:ada@example.com"]
    assert {alert.state for alert in Alert.objects.all()} == {"over"}
