"""The pages of sessions: what one run of an agent cost, request by request, for those it is of."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from keys.log import sessions as log_sessions
from keys.log.sessions import read_session, recent_sessions
from keys.models import Membership, Team
from tests.keys.factories import log_row, user

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
RUN = "run/1 <b>"
ADMIN = "/admin/keys/requestlog/session"


def texts(response: Any) -> str:
    html = re.sub(r"<(style|svg).*?</\1>", " ", response.content.decode(), flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def signed_in(who: Any) -> Client:
    browser = Client()
    browser.force_login(who)
    return browser


@pytest.fixture
def ada(db: None) -> Any:
    return user("ada")


@pytest.fixture
def run(ada: Any) -> None:
    """Three requests of Ada's agent, and others beside them."""
    of_ada: dict[str, Any] = {"owner_id": ada.pk, "owner_name": "ada", "model": "big"}
    used: dict[str, Any] = {"prompt_tokens": 1_000, "cached_tokens": 750, "completion_tokens": 50}
    paid = {"cost_nano_usd": 30_000_000, "duration_ms": 60_000}
    log_row("first", started_at=NOON, session=RUN, **of_ada, **used, **paid)
    log_row(
        "failed",
        started_at=NOON + timedelta(minutes=5),
        session=RUN,
        status=502,
        error_message="Workers AI failed.",
        **of_ada,
    )
    log_row(
        "last",
        started_at=NOON + timedelta(minutes=9),
        session=RUN,
        agent="reviewer",
        **{**of_ada, "model": "small"},
        **used,
        **{**paid, "cost_nano_usd": 10_000_000},
    )
    log_row("of no session", started_at=NOON, **of_ada)
    log_row("other", started_at=NOON - timedelta(days=1), session="earlier", **of_ada)
    bob = user("bob")
    log_row("bob's", started_at=NOON, session=RUN, owner_id=bob.pk, owner_name="bob", **paid)
    log_row("bob's own", started_at=NOON, session="of bob", owner_id=bob.pk, owner_name="bob")


def test_a_member_sees_own_sessions_and_what_each_cost(ada: Any, run: None) -> None:
    member = signed_in(ada)
    listed = texts(member.get("/sessions/"))
    assert "run/1 &lt;b&gt;" in listed and "earlier" in listed and "of bob" not in listed
    page = texts(member.get("/sessions/one/", {"session": RUN}))
    assert "Cost $0.04 Requests 3 Failed 1 Tokens in 2,000 From cache 75 % Tokens out 100" in page
    assert "Lasted 10 min" in page
    assert "Workers AI failed." in page and "bob" not in page
    assert "big $0.03" in page and "small $0.01" in page
    assert "reviewer $0.01 1 request, 1,000 tokens in (75 % from cache), 50 out" in page
    for name in ("of bob", "none", "", "a\0b"):
        assert member.get("/sessions/one/", {"session": name}).status_code == 404, name
    linked = member.get("/requests/").content.decode()
    assert "/sessions/one/?session=run%2F1%20%3Cb%3E" in linked


def test_an_operator_sees_whose_requests_a_name_holds(ada: Any, run: None) -> None:
    operator = signed_in(user("op", is_staff=True, is_superuser=True))
    assert "of bob" in texts(operator.get(ADMIN + "s/"))
    for show in ("tokens", "cost", "requests", "nonsense"):
        response = operator.get(ADMIN + "/", {"session": RUN, "show": show})
        page = texts(response)
        assert "ada, laptop" in page and "bob, laptop" in page and "Requests 4" in page
        assert 'class="stacked-plot"' in response.content.decode()
    assert operator.get(ADMIN + "/", {"session": "none"}).status_code == 404
    nobody = signed_in(user("staff", is_staff=True))
    assert nobody.get(ADMIN + "s/").status_code == 403
    assert nobody.get(ADMIN + "/", {"session": RUN}).status_code == 403


def test_requests_stand_where_they_were_in_the_session(ada: Any, run: None) -> None:
    session = read_session(RUN, owner_id=ada.pk)
    assert session is not None
    last, failed, first = session.moments
    assert (first.left, first.width) == (0, 10)
    assert failed.left == 50
    assert last.left + last.width == 100
    chart = session.chart("requests")
    assert chart is not None
    # The first, the failed one in the middle, and the last one nine tenths on.
    drawn = [at for at, column in enumerate(chart.columns) if column.parts]
    assert drawn == [0, 4, 7]


def test_of_a_long_session_the_newest_requests_are_told(
    ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_sessions, "MOST_ROWS", 3)
    for number in range(5):
        log_row(str(number), started_at=NOON + timedelta(minutes=number), session="s", owner_id=1)
    session = read_session("s")
    assert session is not None and session.is_cut
    assert [row.request_id for row in session.rows] == ["4", "3", "2"]
    assert recent_sessions().since == NOON + timedelta(minutes=2)


def test_one_request_at_a_moment_is_a_session_too(ada: Any) -> None:
    log_row("only", session="s", duration_ms=0, owner_id=ada.pk)
    assert "Requests 1" in texts(signed_in(ada).get("/sessions/one/", {"session": "s"}))
    assert "No sessions yet" in texts(signed_in(user("new")).get("/sessions/"))


def test_a_lead_sees_the_sessions_of_the_team_and_nobody_else_does(ada: Any, run: None) -> None:
    team, other = Team.objects.create(name="research"), Team.objects.create(name="law")
    lead = user("lena")
    Membership.objects.create(user=lead, team=team, is_lead=True)
    Membership.objects.create(user=ada, team=team)
    used: dict[str, Any] = {"started_at": NOON, "session": "shared", "team_id": team.pk}
    log_row("ada's", owner_id=ada.pk, owner_name="ada", **used)
    log_row("carl's", owner_name="carl", **used)
    log_row("law's", **{**used, "team_id": other.pk, "owner_name": "lea"})
    browser = signed_in(lead)
    assert "/team/sessions/" in browser.get("/team/").content.decode()
    listed = texts(browser.get("/team/sessions/"))
    assert "shared" in listed and "run/1" not in listed
    page = texts(browser.get("/team/sessions/one/", {"session": "shared"}))
    assert "Requests 2" in page
    assert "ada" in page and "carl" in page and "lea" not in page
    assert browser.get("/team/sessions/one/", {"session": RUN}).status_code == 404
    for stranger in (ada, user("eve")):
        assert signed_in(stranger).get("/team/sessions/").status_code == 404
        asked = signed_in(stranger).get("/team/sessions/one/", {"session": "shared"})
        assert asked.status_code == 404
