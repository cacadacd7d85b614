from collections.abc import Iterator

import pytest

from catalog import paces
from catalog.snapshot import ModelRecord

TEXT = ModelRecord("@cf/meta/llama", task="Text Generation")
OTHER = ModelRecord("@cf/qwen/other", task="Text Generation")
FRONTIER = ModelRecord(
    "@cf/moonshotai/kimi", task="Text Generation", capabilities=frozenset({"require_workers_paid"})
)
WORDS = "rate limiting: inference request per min rate reached"


class Clock:
    now = 5000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    paces.forget()
    clock = Clock()
    monkeypatch.setattr(paces, "time", clock)
    yield clock
    paces.forget()


def rate(model: ModelRecord) -> int | None:
    pace = paces.pace_of(model)
    return None if pace is None else pace.per_minute


def test_two_refusals_within_a_minute_teach_a_models_rate(clock: Clock) -> None:
    assert rate(TEXT) is None
    paces.refused(TEXT, WORDS)
    assert rate(TEXT) is None
    clock.now += 59
    paces.refused(TEXT, WORDS)
    pace = paces.pace_of(TEXT)
    assert pace == paces.Pace(TEXT.name, 300, learnt=True, why=WORDS)
    assert rate(OTHER) is None
    paces.refused(OTHER, WORDS)
    clock.now += 61
    paces.refused(OTHER, WORDS)
    assert rate(OTHER) is None, "they were two minutes apart"


def test_a_rate_is_lowered_at_once_and_recovers_slowly(clock: Clock) -> None:
    for _ in range(2):
        paces.refused(FRONTIER, WORDS)
    assert rate(FRONTIER) == 20
    paces.refused(FRONTIER, "of a request that was under way")
    assert rate(FRONTIER) == 20
    clock.now += 6
    paces.refused(FRONTIER, WORDS)
    assert rate(FRONTIER) == 15
    clock.now += 120
    assert rate(FRONTIER) == 17
    clock.now += 600
    assert rate(FRONTIER) == 20
    clock.now += paces.FORGOTTEN_AFTER_S
    assert rate(FRONTIER) is None


def test_a_rate_never_ends_at_nothing(clock: Clock) -> None:
    for _ in range(60):
        paces.refused(FRONTIER, WORDS)
        clock.now += 6
    assert rate(FRONTIER) == 1


def test_set_rates_hold_from_the_start_for_all_that_fit(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    rates = (("@cf/moonshotai/*", 50), ("text generation", 500))
    monkeypatch.setattr(paces, "RATES", rates)
    assert paces.pace_of(FRONTIER) == paces.Pace("@cf/moonshotai/*", 50, False, "ACCOUNT_RATES")
    for model in (TEXT, OTHER):
        pace = paces.pace_of(model)
        assert pace is not None
        assert (pace.lane, pace.per_minute) == ("text generation", 500)
    assert rate(ModelRecord("@cf/baai/bge", task="Text Embeddings")) is None
    paces.refused(TEXT, WORDS)
    assert rate(OTHER) == 375
