from collections.abc import Iterator

import pytest

from catalog import breaker

MODEL = "@cf/meta/llama"


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    breaker.forget()
    clock = Clock()
    monkeypatch.setattr(breaker, "time", clock)
    yield clock
    breaker.forget()


def test_a_model_rests_longer_with_each_failure_in_a_row(clock: Clock) -> None:
    rested = []
    for _ in range(8):
        breaker.failed(MODEL, "no capacity")
        breaker.failed(MODEL, "of a request that was under way")
        rest = breaker.rest_of(MODEL)
        assert rest is not None
        assert rest.why == "no capacity"
        rested.append(rest.left_s)
        clock.now += rest.left_s
        assert not breaker.rests(MODEL)
    assert rested == [10, 20, 40, 80, 160, 300, 300, 300]


def test_an_answer_or_a_long_time_begin_anew(clock: Clock) -> None:
    breaker.failed(MODEL, "first")
    breaker.answered(MODEL)
    assert breaker.rest_of(MODEL) is None
    breaker.failed(MODEL, "second")
    clock.now += breaker.FORGOTTEN_AFTER_S + 60
    breaker.failed(MODEL, "third")
    rest = breaker.rest_of(MODEL)
    assert rest is not None
    assert (rest.failures, rest.left_s) == (1, 10)


def test_it_rests_as_long_as_upstream_says_within_the_bound() -> None:
    breaker.failed(MODEL, "busy", at_least_s=45)
    breaker.failed("@cf/other", "busy", at_least_s=10_000)
    rests = [breaker.rest_of(name) for name in (MODEL, "@cf/other")]
    assert [rest and rest.left_s for rest in rests] == [45, 300]
