"""When something is told, when it is over, and when it is not told again."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts import store, turns
from alerts.findings import INFO
from alerts.models import Alert
from tests.alerts.messages import finding

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def record(*levels: int, series: str = "limit:a") -> list[int]:
    found = [finding(series, level) for level in levels]
    return [alert.level for alert in store.record(found, ["limit"], NOW)]


def states() -> dict[int, str]:
    return {alert.level: alert.state for alert in Alert.objects.all()}


def test_each_step_is_told_once_and_the_highest_stays_open() -> None:
    assert record(80) == [80]
    assert record(80) == []
    assert record(95) == [95]
    assert states() == {80: "over", 95: "open"}
    assert record(100) == [100]
    assert record(80) == [], "a lower step after a higher one is no news"
    assert states()[100] == "open"
    assert record() == []
    assert set(states().values()) == {"over"}
    assert record(100) == []
    assert states() == {80: "over", 95: "over", 100: "open"}, "back within its window"


def test_a_leap_is_told_as_what_it_reached() -> None:
    assert record(80, 100) == [100]


def test_another_window_is_told_again_and_other_events_are_left_alone() -> None:
    store.tell(finding("key_ends:7", 0, event="key_ends"), NOW)
    assert record(80, series="limit:a:2026-11-26") == [80]
    assert record(80, series="limit:a:2026-11-27") == [80]
    assert sorted(alert.state for alert in Alert.objects.all()) == ["open", "open", "over"]


def test_names_of_any_length_have_a_series_of_their_own() -> None:
    long = "x" * 300
    assert record(80, series=long + "a") == [80]
    assert record(80, series=long + "b") == [80]
    assert record(80, series=long + "b") == []


def test_one_acknowledges_what_is_open_and_the_old_goes() -> None:
    record(80)
    assert store.acknowledge(Alert.objects.all(), "ada", NOW) == 1
    assert store.acknowledge(Alert.objects.all(), "bob", NOW) == 0
    assert Alert.objects.get().acknowledged_by == "ada"
    later = NOW + store.KEPT + timedelta(days=1)
    assert store.prune(later) == 0, "it is acknowledged, but not over"
    record()
    assert store.prune(later) == 1


def test_what_happened_once_is_over_when_nobody_need_do_anything() -> None:
    store.tell(finding("raise:1", 0, event="raise_answered", severity=INFO, is_state=False), NOW)
    store.tell(finding("raise:2", 0, event="raise_asked"), NOW)
    assert [alert.state for alert in Alert.objects.order_by("pk")] == ["over", "open"]
    store.resolve("raise:2", NOW)
    assert Alert.objects.get(series="raise:2").state == "over"


def test_a_turn_is_taken_once() -> None:
    every = timedelta(seconds=20)
    assert turns.take("rules", every, NOW)
    assert not turns.take("rules", every, NOW)
    assert not turns.take("rules", every, NOW + timedelta(seconds=19))
    assert turns.take("rules", every, NOW + every)
    turns.put_off("rules", NOW + timedelta(hours=1))
    assert not turns.take("rules", every, NOW + timedelta(minutes=59))
