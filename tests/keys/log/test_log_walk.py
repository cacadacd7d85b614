"""The log is searched in steps along an index: whatever is asked, all that fits is found once, and
a page that takes too long leads on."""

import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext

from keys.log import walk as log_walk
from keys.log.walk import NOTHING, Position, Sought, Walk
from keys.models import RequestLog
from tests.keys.factories import log_row, user
from tests.keys.member.conftest import signed_in

pytestmark = pytest.mark.django_db

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)
LOG = "/admin/keys/requestlog/"


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no patience: a page is one step of three rows."""
    monkeypatch.setattr(log_walk, "STEP_ROWS", 3)
    monkeypatch.setattr(log_walk, "SEARCH_S", 0)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create(username="op", is_staff=True, is_superuser=True))
    return client


def some_rows(number: int) -> None:
    dice = random.Random(number)
    RequestLog.objects.bulk_create(
        RequestLog(
            request_id=dice.choice(["same", f"req-{n}"]),
            # Many at one moment, and not in the order of their ids.
            started_at=BEGIN + timedelta(seconds=dice.randrange(number // 3)),
            key_id=dice.choice([1, 1, 1, 2, None]),
            owner_id=dice.choice([7, 7, 8]),
            model=dice.choice(["a", "b"]),
            endpoint=dice.choice(["chat", "images"]),
            stream=dice.random() < 0.5,
            session=dice.choice(["", "", "run 1", "run 2"]),
            status=dice.choice([200, 200, 429, 502]),
            duration_ms=1,
            attempts=1,
        )
        for n in range(number)
    )


SOUGHT = [
    Sought(),
    Sought(equal={"key_id": 1}),
    Sought(equal={"key_id": 2, "owner_id": 7, "model": "a"}),
    Sought(failed=True),
    Sought(failed=True, equal={"owner_id": 7}),
    Sought(failed=True, equal={"owner_id": 7, "key_id": 2}, rest=Q(status=502)),
    Sought(rest=Q(stream=True)),
    Sought(equal={"endpoint": "images"}, rest=Q(stream=False)),
    Sought(equal={"session": "run 1"}),
    Sought(equal={"session": "run 2", "owner_id": 8}, rest=Q(model="a")),
    Sought(since=BEGIN + timedelta(seconds=4)),
    Sought(rest=Q(status__lt=400), since=BEGIN + timedelta(seconds=9)),
    Sought(failed=True, until=BEGIN + timedelta(seconds=9)),
    Sought(since=BEGIN + timedelta(seconds=4), until=BEGIN + timedelta(seconds=5)),
    Sought(request_id="same", equal={"model": "b"}),
    Sought(request_id="req-5"),
    Sought(request_id="none"),
    Sought(equal={"key_id": 99}, rest=Q(stream=True)),
    NOTHING,
]


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("step_rows", [3, 1000])
def test_a_walk_finds_each_row_that_fits_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, oldest_first: bool, step_rows: int
) -> None:
    monkeypatch.setattr(log_walk, "STEP_ROWS", step_rows)
    some_rows(60)
    order = ("started_at", "pk") if oldest_first else ("-started_at", "-pk")
    for sought in SOUGHT:
        fitting = RequestLog.objects.filter(sought.condition).order_by(*order)
        if sought.since is not None:
            fitting = fitting.filter(started_at__gte=sought.since)
        if sought.until is not None:
            fitting = fitting.filter(started_at__lt=sought.until)
        walk, found = Walk(sought, oldest_first=oldest_first), []
        while not walk.is_over:
            found += [row.pk for row in walk.step(4)]
            # As a page does, which goes on from its address.
            text = str(walk.position) if walk.position else ""
            again = Walk(sought, Position.parse(text), oldest_first=oldest_first)
            again.is_over = walk.is_over
            walk = again
        assert found == list(fitting.values_list("pk", flat=True)), sought


def test_no_statement_reads_more_than_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_walk, "STEP_ROWS", 10)
    some_rows(60)
    for sought in SOUGHT:
        with CaptureQueriesContext(connection) as caught:
            Walk(sought).step(5)
        for query in caught:
            limit = re.search(r"LIMIT (\d+)", query["sql"])
            if limit is None:
                # The rows of a page, by the ids that were found.
                assert re.search(r'WHERE "keys_requestlog"."id" IN \(', query["sql"])
            else:
                assert int(limit[1]) <= 11, query["sql"]


def test_the_narrowest_index_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_walk, "STEP_ROWS", 3)
    for number in range(30):
        log_row(str(number), started_at=BEGIN + timedelta(seconds=number), key_id=1, model="often")
    log_row("wanted", started_at=BEGIN, key_id=1, model="seldom")
    [row] = Walk(Sought(equal={"key_id": 1, "model": "seldom"})).step(5)
    assert row.request_id == "wanted"


def test_a_search_that_takes_long_says_how_far_it_came_and_goes_on(
    operator: Client, short_steps: None
) -> None:
    log_row("wanted", started_at=BEGIN, stream=True)
    for number in range(1, 8):
        log_row(str(number), started_at=BEGIN + timedelta(minutes=number))
    log_row("newest", started_at=BEGIN + timedelta(minutes=8), stream=True)
    found, notes, address = [], [], "?stream=yes"
    while address:
        page = operator.get(LOG + address).content.decode()
        found += re.findall(r">\s*(wanted|newest|\d)\s*</", page)
        notes += re.findall(r"(\d) requests? found back to .*?(\d\d:\d\d):00 UTC", page)
        address = _linked(page, "next")
    assert found == ["newest", "wanted"]
    assert notes == [("1", "00:06"), ("0", "00:03"), ("1", "00:00")]


def test_an_empty_page_leads_back_to_where_one_came_from(
    operator: Client, short_steps: None
) -> None:
    for number in range(6):
        log_row(str(number), started_at=BEGIN + timedelta(minutes=number), stream=number == 3)
    first = operator.get(LOG + "?stream=yes").content.decode()
    second = operator.get(LOG + _linked(first, "next")).content.decode()
    assert "0 requests found back to" in second
    # The row that the empty page began after is on the page before it.
    back = operator.get(LOG + _linked(second, "prev")).content.decode()
    assert "1 request found back to" in back


def _linked(page: str, way: str) -> str:
    found = re.search(rf'href="([^"]+)" rel="{way}"', page)
    return found[1].replace("&amp;", "&") if found else ""


def test_a_members_search_goes_on_too(short_steps: None) -> None:
    ada = user("ada")
    for number in range(8):
        moment, key_id = BEGIN + timedelta(minutes=number), 5 if number == 0 else 6
        log_row(f"req-{number}", started_at=moment, owner_id=ada.pk, key_id=key_id, stream=False)
    log_row("of bob", started_at=BEGIN, owner_id=user("bob").pk, key_id=5)
    client, address, seen = signed_in(ada), "?key=5", ""
    while address:
        page = client.get("/requests/" + address).content.decode()
        seen += page
        older = re.search(r'href="([^"]+)">Older<', page)
        address = older[1].replace("&amp;", "&") if older else ""
    assert "req-0" in seen and "of bob" not in seen


def test_the_list_finds_the_requests_of_a_session_and_of_an_agent(operator: Client) -> None:
    log_row("main", session="run 1")
    log_row("helper", session="run 1", agent="reviewer")
    log_row("other", session="run 2")
    log_row("none")
    for query, expected in {
        "session=run+1": {"main", "helper"},
        "session=run+1&agent=reviewer": {"helper"},
        "session=": set(),
        "q=run+1": {"main", "helper"},
        "q=other": {"other"},
        "q=nothing": set(),
    }.items():
        page = operator.get(f"{LOG}?{query}").content.decode()
        shown = {name for name in ("main", "helper", "other", "none") if f">{name}</" in page}
        assert shown == expected, query
