"""`/api/usage/` and `/api/logs/`: figures that add up, and rows by cursor."""

from datetime import UTC, date, datetime, timedelta

import pytest

from keys.models import DayTotal, RequestLog, TeamTotal
from management_api.resources.logs import ShownRow
from tests.keys.factories import log_row
from tests.management_api.api_client import assert_problem

pytestmark = pytest.mark.django_db

FIRST = datetime(2026, 10, 30, 12, tzinfo=UTC)


def used(day, key_id, model, cost, *, team_id=0, user="", endpoint="chat"):
    names = {"key_id": key_id, "key_name": f"key {key_id}", "owner_id": 1, "owner_name": "ada"}
    sums = {"requests": 1, "prompt_tokens": 10, "cost_nano_usd": cost * 10**9}
    DayTotal.objects.create(day=day, model=model, endpoint=endpoint, **names, **sums)
    if team_id or user:
        team = {"team_id": team_id, "team_name": "law" if team_id else "", "user": user}
        TeamTotal.objects.create(day=day, model=model, **team, **names, **sums)


@pytest.fixture
def use(db):
    used(date(2026, 10, 31), 1, "a", 1, team_id=5)
    used(date(2026, 11, 1), 1, "a", 2, team_id=5, user="eve")
    used(date(2026, 11, 1), 2, "a", 4, user="eve")
    used(date(2026, 11, 2), 2, "b", 8, endpoint="images")


def lines(api, by, more=""):
    asked = f"/usage/?since=2026-10-01&until=2026-11-30&by={by}{more}"
    answer = api.get(asked)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert sum(int(line["cost_usd"]) for line in told["data"]) == int(told["total"]["cost_usd"])
    named = [name for name in by.split(",") if name]
    return [(*(line[name] for name in named), int(line["cost_usd"])) for line in told["data"]]


ADDING_UP = [
        ("", "", [(15,)]),
        ("day", "", [("2026-10-31", 1), ("2026-11-01", 6), ("2026-11-02", 8)]),
        ("month", "", [("2026-10", 1), ("2026-11", 14)]),
        ("key", "", [("key 1", 3), ("key 2", 12)]),
        ("month,key", "&model=a", [
            ("2026-10", "key 1", 1), ("2026-11", "key 1", 2), ("2026-11", "key 2", 4)
        ]),
        ("owner", "", [("ada", 15)]),
        ("endpoint", "", [("chat", 7), ("images", 8)]),
        ("model", "&key=2", [("a", 4), ("b", 8)]),
        ("team", "", [(None, 12), ("law", 3)]),
        ("user", "", [(None, 9), ("eve", 6)]),
        ("team,user", "", [(None, None, 8), (None, "eve", 4), ("law", None, 1), ("law", "eve", 2)]),
        ("month,team", "", [("2026-10", "law", 1), ("2026-11", None, 12), ("2026-11", "law", 2)]),
        ("day,team", "&team=5", [("2026-10-31", "law", 1), ("2026-11-01", "law", 2)]),
        ("key", "&user=eve", [("key 1", 2), ("key 2", 4)]),
        ("key,user", "&model=a", [("key 1", None, 1), ("key 1", "eve", 2), ("key 2", "eve", 4)]),
        ("key", "&user=nobody", []),
    ]  # fmt: skip


def test_lines_add_up_whatever_they_are_of(api, use):
    for by, more, wanted in ADDING_UP:
        assert lines(api, by, more) == wanted, by


def test_lines_have_ids_units_and_pages(api, use):
    asked = "/usage/?since=2026-10-01&until=2026-11-30&by=day,key&page_size=2"
    page = api.get(asked).json()
    assert page["data"][0] == {
        "day": "2026-10-31",
        "key": "key 1",
        "key_id": 1,
        "requests": 1,
        "errors": 0,
        "prompt_tokens": 10,
        "cached_tokens": 0,
        "completion_tokens": 0,
        "reasoning_tokens": 0,
        "images": 0,
        "audio_seconds": 0.0,
        "cost_usd": "1",
        "neurons": "0",
        "unpriced_requests": 0,
    }
    rest = api.get(f"{asked}&cursor={page['next_cursor']}").json()
    assert (len(page["data"]), len(rest["data"]), rest["next_cursor"]) == (2, 2, None)
    assert api.get("/usage/").json()["by"] == []


BAD_USAGE_QUERIES = [
        "by=hour", "by=day,month", "by=key,key", "by=team,endpoint", "by=user&endpoint=chat",
        "since=x", "since=2026-11-02&until=2026-11-01", "since=2020-01-01&until=2026-01-01",
        "until=9999-12-31&since=9999-12-01", "key=x", "key=" + "9" * 40, "user=%00", "from=1",
        "cursor=x",
    ]  # fmt: skip


def test_uses_that_cannot_be_told_are_refused_by_parameter(api):
    for query in BAD_USAGE_QUERIES:
        assert_problem(api.get(f"/usage/?{query}"), 400, "invalid_parameter")


def test_the_log_comes_by_cursor_with_the_admins_filters(api):
    for number in range(5):
        log_row(
            f"req-{number}",
            started_at=FIRST + timedelta(hours=number),
            key_id=number % 2 + 1,
            status=500 if number == 3 else 200,
            model="a",
            user="eve" if number else "",
        )
    asked = "/logs/?page_size=2"
    page = api.get(asked).json()
    found = [row["request_id"] for row in page["data"]]
    while page["next_cursor"]:
        page = api.get(f"{asked}&cursor={page['next_cursor']}").json()
        found += [row["request_id"] for row in page["data"]]
    assert found == [f"req-{number}" for number in (4, 3, 2, 1, 0)]

    def ids(query):
        return [row["request_id"][-1] for row in api.get(f"/logs/?{query}").json()["data"]]

    assert ids("key=2") == ["3", "1"]
    assert ids("key=2&status_class=failed") == ["3"]
    assert ids("user=eve&model=a&endpoint=chat&stream=no&day=2026-10-30..2026-10-31") == [*"4321"]
    assert ids("request_id=req-2") == ["2"]
    assert ids("since=2026-10-30T14:00:00Z&until=2026-10-30T16:00:00Z") == ["3", "2"]
    row = api.get("/logs/?request_id=req-2").json()["data"][0]
    assert set(row) == set(ShownRow().fields)
    assert not {"asked", "answered", "prompt"} & set(row)
    assert RequestLog.objects.count() == 5


BAD_LOGS_QUERIES = [
        "key=x", "team=%00", "status_class=odd", "stream=maybe", "day=yesterday", "day=..",
        "since=x", "until=9999-99-99", "cursor=x", "cursor=MQ", "cursor=LTEtMQ", "prompt=x",
        "request_id=%00", "cursor=" + "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OS0x",
    ]  # fmt: skip


def test_filters_that_cannot_be_used_are_named(api):
    for query in BAD_LOGS_QUERIES:
        assert_problem(api.get(f"/logs/?{query}"), 400, "invalid_parameter")
