"""What is found about models in use, and about a catalog that grows old."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from catalog import alerting
from catalog.models import Alias, CatalogModel, RefreshRun

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def model(name: str, **fields: Any) -> CatalogModel:
    return CatalogModel.objects.create(name=name, task="Text Generation", **fields)


@pytest.mark.parametrize(
    ("going", "is_found"),
    [(date(2026, 12, 10), True), (date(2026, 12, 11), False), (date(2026, 11, 20), True)],
)
def test_a_model_in_use_that_goes_soon(going: date, is_found: bool) -> None:
    model("@cf/a/old", planned_deprecation_date=going)
    model("@cf/a/new")
    assert len(list(alerting.retirements({"@cf/a/old"}, NOW))) == is_found
    assert list(alerting.retirements({"@cf/a/new"}, NOW)) == [], "nobody uses the other"
    if is_found:
        (found,) = alerting.retirements({"@cf/a/old"}, NOW)
        assert (found.event, str(going) in found.text) == ("model_retires", True)
        assert "@cf/a/new is like it" in found.text


def test_a_model_that_is_gone_and_one_that_an_alias_stands_for(settings: Any) -> None:
    gone = model("@cf/a/gone", retired_at=NOW - timedelta(hours=1))
    aliased = model("@cf/a/aliased", planned_deprecation_date=NOW.date())
    model("@cf/a/usual", retired_at=NOW)
    Alias.objects.create(alias="gpt-4o", target=aliased)
    settings.DEFAULT_IMAGE_MODEL = "@cf/a/usual"
    found = {each.holder.name: each for each in alerting.retirements({gone.name}, NOW)}
    assert {name: each.event for name, each in found.items()} == {
        "@cf/a/gone": "model_gone",
        "@cf/a/aliased": "model_retires",
        "@cf/a/usual": "model_gone",
    }
    assert found["@cf/a/gone"].severity == "critical"


def run(hours_ago: float, ok: "bool | None", error: str = "") -> None:
    RefreshRun.objects.create(started_at=NOW - timedelta(hours=hours_ago), ok=ok, error=error)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], ""),
        ([(23, True)], ""),
        ([(23, True), (1, False)], ""),
        ([(25, True)], ""),
        ([(25, True), (1, False)], "The last try failed: HTTP 500"),
        ([(27, True)], "Nobody has tried since"),
        ([(27, True), (2, None)], "Nobody has tried since"),
        ([(23, False)], ""),
        ([(25, False)], "never refreshed. The last try failed"),
        ([(72, True), (48, False), (24, False)], "The last try failed"),
        ([(72, False), (1, True)], ""),
    ],
)
def test_a_catalog_that_could_not_be_refreshed_for_a_day(
    runs: "list[tuple[float, bool | None]]", words: str
) -> None:
    for hours_ago, ok in runs:
        run(hours_ago, ok, "HTTP 500" if ok is False else "")
    found = list(alerting.old(NOW))
    assert [words in each.text for each in found] == ([True] if words else [])
    later = list(alerting.old(NOW + timedelta(minutes=10)))
    assert [each.series for each in later] == [each.series for each in found], "told once"
