"""What a request of `/v1` is made of."""

import time

import pytest

from proxysite.api_request import ApiRequest


def request_with(headers: list[tuple[bytes, bytes]]) -> ApiRequest:
    async def receive() -> dict[str, object]:
        raise AssertionError("nobody asked for the body")

    scope = {"method": "GET", "path": "/v1/models", "headers": headers, "client": None}
    return ApiRequest(scope, receive, "models")


def test_what_is_sent_twice_is_joined_in_the_order_in_which_it_came() -> None:
    headers = [(b"accept", b"a"), (b"host", b"h"), (b"accept", b"b"), (b"accept", b"c")]
    assert request_with(headers).raw_headers == {b"accept": b"a,b,c", b"host": b"h"}


@pytest.mark.parametrize("times", [20_000, 80_000])
def test_a_header_that_is_repeated_takes_no_longer_for_each_repetition(times: int) -> None:
    """Copying what came before would take minutes; the bound is wide for a busy machine."""
    headers = [(b"a", b"b" * 500)] * times
    began = time.monotonic()
    joined = request_with(headers).raw_headers[b"a"]
    assert time.monotonic() - began < 5
    assert len(joined) == times * 501 - 1
