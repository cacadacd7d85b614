import pytest

from keys.counters import Denial, Limit, MemoryCounters
from tests.keys.factories import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def counters(clock):
    return MemoryCounters(clock)


def take(counters, key_id=1, rpm=None, tpm=None, concurrency=None):
    return counters.take(
        key_id, requests_per_minute=rpm, tokens_per_minute=tpm, concurrency=concurrency
    )


def release(counters, key_id=1, reserved=0, used=0):
    counters.release(key_id, reserved_tokens=reserved, used_tokens=used)


def test_of_fifty_requests_with_room_for_seven_seven_pass(counters):
    assert [take(counters, rpm=7) for _ in range(50)].count(None) == 7


def test_the_minute_is_not_the_clocks_so_no_double_portion_around_it(counters, clock):
    clock.now = 59.9
    assert all(take(counters, rpm=5) is None for _ in range(5))
    clock.now = 60.1
    assert take(counters, rpm=5) is not None


def test_a_request_is_forgotten_after_exactly_a_minute(counters, clock):
    take(counters, rpm=1)
    clock.now += 59.99
    assert take(counters, rpm=1) == Denial(Limit.REQUESTS, pytest.approx(0.01))
    clock.now += 0.01
    assert take(counters, rpm=1) is None


def test_waiting_as_long_as_told_is_enough(counters, clock):
    for _ in range(10):
        take(counters, rpm=10)
        clock.now += 3.3
    denial = take(counters, rpm=10)
    clock.now += denial.retry_after_s
    assert take(counters, rpm=10) is None


def test_refused_requests_do_not_count(counters, clock):
    take(counters, rpm=1)
    for _ in range(30):
        clock.now += 1
        take(counters, rpm=1)
    clock.now += 30
    assert take(counters, rpm=1) is None


def test_a_slot_comes_back_when_its_request_ends(counters):
    assert take(counters, concurrency=1) is None
    assert take(counters, concurrency=1).limit is Limit.CONCURRENCY
    release(counters)
    assert take(counters, concurrency=1) is None


def test_a_request_refused_for_its_slot_takes_no_request_of_the_minute(counters):
    take(counters, rpm=5, concurrency=1)
    take(counters, rpm=5, concurrency=1)
    assert counters.requests(1).used == 1


def test_reserved_tokens_keep_others_out_until_released(counters):
    take(counters, tpm=100)
    assert counters.reserve_tokens(1, 80, tokens_per_minute=100) is None
    assert counters.reserve_tokens(1, 30, tokens_per_minute=100).limit is Limit.TOKENS
    release(counters, reserved=80, used=10)
    assert counters.reserve_tokens(1, 30, tokens_per_minute=100) is None
    assert counters.tokens(1).used == 40


def test_used_tokens_refuse_the_next_request_for_a_minute(counters, clock):
    take(counters, tpm=100)
    release(counters, used=150)
    denial = take(counters, tpm=100)
    assert denial == Denial(Limit.TOKENS, pytest.approx(60.0))
    clock.now += 60
    assert take(counters, tpm=100) is None


def test_keys_do_not_share_counts(counters):
    take(counters, key_id=1, rpm=1)
    assert take(counters, key_id=2, rpm=1) is None


def test_keys_at_rest_leave_memory(counters, clock):
    for key_id in range(500):
        take(counters, key_id=key_id)
        release(counters, key_id=key_id)
    clock.now += 61
    for _ in range(600):
        take(counters, key_id=9_999)
    assert len(counters) == 1


def test_a_running_request_keeps_its_count_however_long_it_runs(counters, clock):
    take(counters, key_id=1, concurrency=1)
    clock.now += 3600
    for _ in range(50):
        take(counters, key_id=2)
    assert take(counters, key_id=1, concurrency=1) is not None


def test_a_busy_minute_needs_little_memory(counters, clock):
    for _ in range(6_000):
        clock.now += 0.01
        take(counters)
    assert len(counters._keys[1].requests._buckets) <= 241
    assert counters.requests(1).used == 6_000
