"""The operators' dashboard: figures out of totals, each with a way to its rows."""

import re
from datetime import UTC, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from keys.models import DURATION_COUNTS, TTFT_COUNTS, DayTotal, Key, OwnerLimits
from keys.reports.near_limits import near_limits, refused_today
from keys.reports.periods import use_report

TODAY = timezone.now().astimezone(UTC).date()

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="op", is_staff=True, is_superuser=True))
    return client


def total(days_ago: int = 0, **fields: object) -> DayTotal:
    values: dict[str, object] = {
        "day": TODAY - timedelta(days=days_ago),
        "key_id": 1,
        "key_name": "laptop",
        "owner_id": 7,
        "owner_name": "ada",
        "model": "@cf/meta/llama",
        "endpoint": "chat",
        "requests": 10,
        TTFT_COUNTS[2]: 10,
        DURATION_COUNTS[5]: 10,
    }
    return DayTotal.objects.create(**{**values, **fields})


def text_of(client: Client, query: str = "") -> str:
    response = client.get(f"/admin/{query}")
    assert response.status_code == 200
    return re.sub(r"<[^>]+>|\s+", " ", response.content.decode())


def test_each_period_sums_its_own_days(operator: Client) -> None:
    total(0, cost_nano_usd=10**9)
    total(5, cost_nano_usd=2 * 10**9)
    total(20, cost_nano_usd=4 * 10**9)
    total(200, cost_nano_usd=8 * 10**9)
    for days, usd in ((1, "$1.00"), (7, "$3.00"), (30, "$7.00"), (365, "$15.00")):
        assert f"Cost {usd}" in re.sub(" +", " ", text_of(operator, f"?days={days}"))


def test_figures_lead_to_the_rows_behind_them(operator: Client) -> None:
    total(0, errors=3, model="@cf/a/b")
    page = operator.get("/admin/?days=7&by=model&figure=errors").content.decode()
    span = f"day={TODAY - timedelta(days=6)}..{TODAY}"
    assert f"{span}&amp;status_class=failed" in page
    assert f"{span}&amp;model=%40cf%2Fa%2Fb" in page
    assert f'href="/admin/keys/requestlog/?day={TODAY}"' in page


@pytest.mark.parametrize("query", ["?days=0", "?days=x&by=y&figure=z", "?days=²", "?by=%00"])
def test_what_there_is_not_is_answered_with_the_usual(operator: Client, query: str) -> None:
    total()
    assert "Cost by model" in text_of(operator, query)


def test_an_empty_gateway_says_what_to_do_next(operator: Client) -> None:
    page = text_of(operator)
    assert "Issue a key" in page
    assert "Never refreshed" in page


def test_no_row_of_the_log_is_read_for_sums(operator: Client) -> None:
    total()
    with CaptureQueriesContext(connection) as caught:
        operator.get("/admin/?days=365")
    on_log = [query["sql"] for query in caught if "keys_requestlog" in query["sql"]]
    assert all("LIMIT" in sql for sql in on_log)
    assert len(caught) < 40


def test_staff_see_only_what_they_may() -> None:
    client = Client()
    clerk = User.objects.create(username="clerk", is_staff=True)
    client.force_login(clerk)
    total(key_name="secret project", cost_nano_usd=5)
    assert "secret project" not in text_of(client)
    clerk.user_permissions.add(Permission.objects.get(codename="view_requestlog"))
    assert "secret project" in text_of(client)
    assert "Models listed" not in text_of(client)


def test_the_largest_are_named_and_the_others_added_up() -> None:
    for number in range(8):
        total(0, key_id=number, key_name=f"key {number}", requests=10 - number)
    report = use_report(TODAY, TODAY + timedelta(days=1), "requests", "key")
    assert [series.name for series in report.series] == [*(f"key {n}" for n in range(5)), "others"]
    assert [series.total for series in report.series] == [10, 9, 8, 7, 6, 5 + 4 + 3]
    assert report.sums["requests"] == 52


def test_a_renamed_key_is_one_line() -> None:
    total(1, key_name="old")
    total(0, key_name="renamed")
    report = use_report(TODAY - timedelta(days=1), TODAY + timedelta(days=1), "requests", "key")
    assert [(series.name, series.total) for series in report.series] == [("renamed", 20)]


def test_percentiles_come_from_the_histograms() -> None:
    total()
    report = use_report(TODAY, TODAY + timedelta(days=1), "cost", "model")
    assert report.first_byte_ms == (150, 190, 199)
    assert report.whole_ms[0] == 1200


def test_budgets_that_are_nearly_used_are_found() -> None:
    ada = User.objects.create(username="ada")
    key = Key.objects.create(name="laptop", owner=ada, daily_budget_nano_usd=10**9)
    Key.objects.create(name="idle", owner=ada, total_budget_nano_usd=1)
    OwnerLimits.objects.create(owner=ada, monthly_budget_nano_usd=10**9)
    total(key_id=key.pk, owner_id=ada.pk, cost_nano_usd=8 * 10**8, refused_usd=2)
    assert [(near.key_id, near.owner_id, near.percent) for near in near_limits()] == [
        (key.pk, None, 80),
        (None, ada.pk, 80),
    ]
    DayTotal.objects.update(cost_nano_usd=79 * 10**7)
    assert near_limits() == []
    assert [(one.name, one.count) for one in refused_today()] == [("laptop", 2)]
