"""When another try may pass, however a failure says it."""

from typing import Any

import pytest

from workers_ai.failures.reset import seconds_until_reset

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("headers", "body", "words", "seconds"),
    [
        ({"retry-after": "30"}, None, "", 30),
        ({"retry-after": "Wed, 18 Nov 2026 11:07:40 GMT"}, None, "", 1_795_000_060 - NOW),
        ({"retry-after": "Mon, 01 Jan 2024 00:00:00 GMT"}, None, "", None),
        ({"x-ratelimit-reset": "1795000100"}, None, "", 100),
        ({"retry-after": "soon"}, {"error": {"retry_after": 12}}, "", 12),
        ({}, {"error": [{"code": 2041, "resetAt": 1_795_000_060_000}]}, "", 60),
        ({}, {"success": False, "error": {"resets_at": "2026-11-18T11:07:40Z"}}, "", 60),
        ({}, {"error": {"windowEnd": "2026-11-18T11:07:40"}}, "", 60),
        ({}, None, "Please try again in 20 seconds.", 20),
        ({}, None, "Limit reached; resets in 2 hours", 7200),
        ({}, None, "Please retry after 500ms", 0.5),
        ({}, None, "Spend limit exceeded: rule r1 (cost limit 100 per 604800s, sliding)", None),
        ({}, {"error": {"reset": True, "retry_after": -5}}, "", None),
        ({"retry-after": "nan"}, {"error": {"reset": "1e400"}}, "wait", None),
        ({}, [[[{"reset": 5}]]], "", None),
    ],
)
def test_the_moment_is_found(
    headers: dict[str, str], body: Any, words: str, seconds: float | None
) -> None:
    assert seconds_until_reset(headers, body, words, now=NOW) == seconds
