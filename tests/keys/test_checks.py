import pytest

from keys import key_text
from keys.checks import check_limits_are_shared, check_static_key


def ids(check):
    return [message.id for message in check(None)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("a-good-static-key", []),
        ("too-short", ["keys.E001"]),
        ("x" * 600, ["keys.E001"]),
        ("with a space inside", ["keys.E002"]),
        ("one,two,three,four,five", ["keys.E002"]),
        ("schlüssel-für-alle", ["keys.E002"]),
        ("sk-wai-like-an-issued-key", ["keys.E003"]),
    ],
)
def test_a_static_key_that_cannot_be_used_is_an_error(settings, value, expected):
    settings.PROXY_API_KEY = value
    assert ids(check_static_key) == expected


def test_no_check_quotes_the_static_key(settings):
    for value in ("tooshort", "with a space inside", key_text.make_key()):
        settings.PROXY_API_KEY = value
        assert value not in str(check_static_key(None))


@pytest.mark.parametrize(
    ("workers", "redis", "expected"),
    [(1, "", []), (2, "", ["keys.W001"]), (2, "redis://localhost", [])],
)
def test_limits_counted_by_each_worker_are_a_warning(settings, workers, redis, expected):
    settings.WEB_CONCURRENCY, settings.REDIS_URL = workers, redis
    assert ids(check_limits_are_shared) == expected
