from datetime import UTC, date, datetime

import pytest

from catalog.entry import (
    author_of,
    context_window_of,
    created_at_of,
    deprecation_date_of,
    is_true,
    name_of,
    properties_of,
    task_of,
    whole_number,
)
from tests.catalog.entries import entry


@pytest.mark.parametrize(
    "nameless",
    [
        None,
        "text",
        7,
        [],
        {"id": "only-an-id"},
        *({"name": name} for name in (None, "", 5, "a b", "a\nb", "x" * 256)),
    ],
)
def test_an_entry_without_a_usable_name_has_none(nameless: object) -> None:
    assert name_of(nameless) == ""


@pytest.mark.parametrize(
    ("name", "author"),
    [
        ("@cf/meta/llama-3", "meta"),
        ("@hf/nousresearch/hermes-2-pro", "nousresearch"),
        ("@cf/a/b/c", "a"),
        ("openai/gpt", "openai"),
        ("plain", ""),
    ],
)
def test_author_is_the_part_before_the_model(name: str, author: str) -> None:
    assert author_of({"name": name}) == author


@pytest.mark.parametrize(
    "value", [True, "true", "TRUE", " true "], ids=["boolean", "text", "capitals", "spaces"]
)
def test_true_is_true_however_it_is_written(value: object) -> None:
    assert is_true(value)


@pytest.mark.parametrize("value", [False, "false", "", None, 1, "1", [], {}])
def test_a_flag_that_is_present_but_not_true_is_off(value: object) -> None:
    assert not is_true(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((value, 512) for value in ("512", 512, "512.0", 512.0, " 512 ")),
        *((value, None) for value in ("0", -5, "1e6", True, None, 1.5, "9" * 30, "²")),
        (float("inf"), None),
    ],
)
def test_whole_numbers_come_as_numbers_or_text(value: object, number: int | None) -> None:
    assert whole_number(value) == number


def test_created_at_without_a_zone_is_utc() -> None:
    told = created_at_of({"created_at": "2026-07-31 14:10:43.440"})
    assert told == datetime(2026, 7, 31, 14, 10, 43, 440000, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", [None, 5, "", "yesterday", "2026-13-01", "0001-01-01T00:00+23:00"]
)
def test_a_date_that_cannot_be_read_is_none(value: object) -> None:
    assert created_at_of({"created_at": value}) is None


@pytest.mark.parametrize("value", ["2026-05-30", "2026-05-30 00:00:00", "2026-05-30T12:00:00Z"])
def test_deprecation_date_comes_as_a_day_or_a_time(value: str) -> None:
    assert deprecation_date_of(entry("@cf/a/b", planned_deprecation_date=value)) == date(
        2026, 5, 30
    )


@pytest.mark.parametrize("properties", [None, "text", {}, [None, 7, {"value": 1}]])
def test_unusable_properties_are_no_properties(properties: object) -> None:
    assert properties_of({"properties": properties}) == {}


@pytest.mark.parametrize("task", [None, 3, [], {"id": "x"}, {"name": None}])
def test_a_missing_task_is_empty(task: object) -> None:
    assert task_of({"task": task}) == ""


def test_context_window_falls_back_to_the_longest_input() -> None:
    assert context_window_of(entry("a", max_input_tokens="512")) == 512
    assert context_window_of(entry("a", max_input_tokens="512", context_window="8192")) == 8192
    assert context_window_of(entry("a")) is None
