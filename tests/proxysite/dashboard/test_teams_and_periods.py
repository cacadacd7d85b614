"""The dashboard by team and by person, against the period before, and what caching saved."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from catalog import snapshot
from catalog.pricing.prices import Prices
from keys.models import TeamTotal
from keys.reports.periods import DIMENSIONS, use_report
from proxysite.dashboard.use import saved_nano_usd
from tests.keys.factories import log_row
from tests.proxysite.dashboard.test_page import TODAY, operator, text_of, total

pytestmark = pytest.mark.django_db
__all__ = ["operator"]


def of_team(days_ago: int = 0, **fields: Any) -> None:
    values = {"key_id": 1, "owner_id": 7, "model": "m", "team_id": 0, "team_name": "", "user": ""}
    TeamTotal.objects.create(day=TODAY - timedelta(days=days_ago), **{**values, **fields})


@pytest.mark.parametrize("by_month", [False, True])
def test_teams_and_persons_add_up_to_all_use(by_month: bool) -> None:
    for ago in (0, 1, 40):
        total(ago, cost_nano_usd=100)
        of_team(ago, team_id=1, team_name="research", cost_nano_usd=30, requests=3)
        of_team(ago, team_id=2, team_name="law", user="zoe", cost_nano_usd=20, requests=2)
        of_team(ago, user="zoe", cost_nano_usd=5, requests=1)
    begin, end = TODAY - timedelta(days=60), TODAY + timedelta(days=1)
    sums = {}
    for by in DIMENSIONS:
        report = use_report(begin, end, "cost", by, by_month=by_month)
        assert sum(series.total for series in report.series) == 300, by
        sums[by] = {series.name: series.total for series in report.series}
    assert sums["team"] == {"research": 90, "law": 60, "none": 150}
    assert sums["user"] == {"zoe": 75, "none": 225}


def test_a_chart_of_many_teams_has_no_more_series_than_colours() -> None:
    total(0, cost_nano_usd=1_000)
    for number in range(1, 10):
        of_team(team_id=number, team_name=f"team {number}", cost_nano_usd=number * 10)
    report = use_report(TODAY, TODAY + timedelta(days=1), "cost", "team")
    amounts = {series.name: series.total for series in report.series}
    assert amounts == {
        **{f"team {number}": number * 10 for number in (9, 8, 7, 6)},
        "others": 150,
        "none": 550,
    }
    assert [row.name for row in report.tops["team"]][:2] == ["team 9", "team 8"]


def test_the_page_by_team_leads_to_the_rows(operator: Client) -> None:
    total(0, cost_nano_usd=5 * 10**9)
    of_team(team_id=3, team_name="research", user="zoe & yan", cost_nano_usd=2 * 10**9, requests=1)
    page = operator.get("/admin/?days=7&by=team&figure=cost").content.decode()
    assert f"day={TODAY - timedelta(days=6)}..{TODAY}&amp;team=3" in page
    text = text_of(operator, "?days=7&by=user")
    for words in ("Cost by user", "zoe &amp; yan", "Top teams by cost", "Top users by cost"):
        assert words in text
    log_row("of zoe", user="zoe & yan")
    log_row("of others")
    rows = operator.get("/admin/keys/requestlog/?user=zoe+%26+yan").content.decode()
    assert "of zoe" in rows and "of others" not in rows


def test_figures_are_told_against_the_period_before(operator: Client) -> None:
    total(2, cost_nano_usd=3 * 10**9, requests=9)
    total(8, cost_nano_usd=2 * 10**9, requests=10)
    total(29, cost_nano_usd=10**9)
    total(31, cost_nano_usd=12 * 10**9)
    assert "$2.00 before, +50%" in text_of(operator, "?days=7")
    assert "10 before, −10%" in text_of(operator, "?days=7")
    assert "$12.00 before, −50%" in text_of(operator, "?days=30")
    # A day that is not over has no percentage.
    total(1, cost_nano_usd=4 * 10**9)
    text = text_of(operator, "?days=1")
    assert "$4.00 before" in text and "before, " not in text


def test_what_caching_saved_is_the_difference_of_the_prices(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap = Prices({"input_tokens": 600_000_000, "cached_input_tokens": 100_000_000})
    models = {
        "@cf/cheap": SimpleNamespace(prices=cheap),
        "@cf/same": SimpleNamespace(prices=Prices({"input_tokens": 600_000_000})),
        "@cf/unknown": SimpleNamespace(prices=Prices()),
    }
    monkeypatch.setattr(snapshot, "current", lambda: SimpleNamespace(models=models))
    assert saved_nano_usd({"@cf/cheap": 4_000_000, "@cf/same": 5, "@cf/gone": 9}) == 2 * 10**9
    total(0, model="@cf/cheap", prompt_tokens=8_000_000, cached_tokens=4_000_000)
    assert "50.0%, saved $2.00" in text_of(operator, "?days=7")
