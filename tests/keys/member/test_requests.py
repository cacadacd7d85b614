"""A member reads own requests and what they cost, a page at a time, and nobody else's."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from keys.member.own_requests import PAGE_ROWS
from keys.models import DayTotal, RequestLog
from tests.keys.factories import issued, log_row, user
from tests.keys.member.conftest import signed_in
from tests.keys.member.test_keys import texts

LIST = "/requests/"
NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


def ids(response: Any) -> list[str]:
    return re.findall(r"<code>([^<]+)</code>", response.content.decode())


def older(response: Any) -> str | None:
    found = re.search(r'href="([^"]+)">Older<', response.content.decode())
    return found[1].replace("&amp;", "&") if found else None


def test_only_own_requests_are_listed_newest_first(member: Client, ada: Any) -> None:
    log_row("first", owner_id=ada.pk, started_at=NOON)
    log_row("second", owner_id=ada.pk, started_at=NOON + timedelta(seconds=1))
    log_row("of bob", owner_id=user("bob").pk)
    log_row("of nobody", owner_id=None)
    assert ids(member.get(LIST)) == ["second", "first"]


def test_a_request_that_failed_says_why(member: Client, ada: Any) -> None:
    log_row(
        "bad",
        owner_id=ada.pk,
        status=404,
        error_code="model_not_found",
        error_message="The model `x` does not exist.",
    )
    log_row("gone", owner_id=ada.pk, status=499, end_reason="client_gone")
    log_row("good", owner_id=ada.pk, prompt_tokens=1200, completion_tokens=None, cost_nano_usd=5)
    page = texts(member.get(LIST))
    assert "The model `x` does not exist." in page
    assert "The client disconnected" in page
    assert "1,200 / ?" in page and "$0.000000005" in page
    assert ids(member.get(LIST + "?failed=1")) == ["gone", "bad"]


def test_requests_are_filtered_by_key(member: Client, ada: Any) -> None:
    key, _ = issued(owner=ada)
    log_row("with it", owner_id=ada.pk, key_id=key.pk)
    log_row("with another", owner_id=ada.pk, key_id=key.pk + 1)
    log_row("of bob with it", owner_id=user("bob").pk, key_id=key.pk)
    assert ids(member.get(LIST, {"key": key.pk})) == ["with it"]


@pytest.mark.parametrize("query", ["", "?failed=1"])
def test_pages_follow_each_other_without_a_gap_or_a_double(
    member: Client, ada: Any, query: str
) -> None:
    # Several at the same moment, across the edge of a page too.
    RequestLog.objects.bulk_create(
        RequestLog(
            request_id=f"req-{n}",
            owner_id=ada.pk,
            started_at=NOON + timedelta(seconds=n // 4),
            stream=False,
            status=500,
            duration_ms=1,
            attempts=1,
        )
        for n in range(2 * PAGE_ROWS + 7)
    )
    seen: list[str] = []
    next_page: str | None = query
    while next_page is not None:
        response = member.get(LIST + next_page)
        seen += ids(response)
        next_page = older(response)
    assert seen == [f"req-{n}" for n in reversed(range(2 * PAGE_ROWS + 7))]


@pytest.mark.parametrize(
    "query",
    [
        "before=x",
        "before=20270101T000000.000000-x",
        "before=20270101T000000.000000-" + "9" * 30,
        "before=99999999T000000.000000-1",
        "before=-1",
        "before=%00",
        "key=" + "9" * 30,
        "key=x",
        "key=%D9%A1",
        "failed=%ff",
    ],
)
def test_any_query_is_answered(member: Client, ada: Any, query: str) -> None:
    log_row("one", owner_id=ada.pk)
    assert member.get(f"{LIST}?{query}").status_code == 200


def test_an_empty_log_says_what_to_do_next(member: Client) -> None:
    assert "playground" in texts(member.get(LIST))
    assert "No request matches" in texts(member.get(LIST + "?failed=1"))


# --- Usage ----------------------------------------------------------------------------------------


def total(day: Any, owner_id: int, **sums: Any) -> None:
    DayTotal.objects.create(day=day, owner_id=owner_id, key_id=1, endpoint="chat", **sums)


def test_usage_is_drawn_by_day_and_summed_by_model(member: Client, ada: Any) -> None:
    today = timezone.now().astimezone(UTC).date()
    total(today, ada.pk, model="dear", requests=1200, cost_nano_usd=2 * 10**9, prompt_tokens=5)
    total(today, ada.pk, model="cheap", requests=1, cost_nano_usd=10**9)
    total(today - timedelta(days=1), ada.pk, model="dear", requests=1, cost_nano_usd=10**9)
    total(today - timedelta(days=40), ada.pk, model="forgotten", requests=1, cost_nano_usd=10**9)
    total(today, user("bob").pk, model="secret", requests=1, cost_nano_usd=10**9)
    response = member.get("/usage/")
    page = response.content.decode()
    assert f"<title>{today:%d %b}: $3.00</title>" in page
    assert page.count('class="stacked-reach"') == 30
    assert texts(response).index("dear") < texts(response).index("cheap")
    assert "1,201" in page
    assert "secret" not in page and "forgotten" not in page


@pytest.mark.parametrize(
    ("measure", "title"), [("requests", ": 7"), ("tokens", ": 12.3k"), ("no such", ": $1.00")]
)
def test_the_chart_shows_what_is_asked_for(
    member: Client, ada: Any, measure: str, title: str
) -> None:
    today = timezone.now().astimezone(UTC).date()
    sums = {"requests": 7, "cost_nano_usd": 10**9, "completion_tokens": 12_345}
    total(today, ada.pk, model="m", **sums)
    page = member.get("/usage/", {"show": measure}).content.decode()
    assert f"<title>{today:%d %b}{title}</title>" in page


def test_without_usage_the_page_says_what_to_do_next(member: Client) -> None:
    assert "Nothing in the last 30 days" in texts(member.get("/usage/"))


def test_refusals_alone_are_no_use_of_a_model(ada: Any) -> None:
    total(timezone.now().astimezone(UTC).date(), ada.pk, model="m", refused_requests=3)
    assert "By model" not in texts(signed_in(ada).get("/usage/"))
