"""When upstream says nothing: comments to the client, and time-outs that read as such."""

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, chat_body, events, new_id, opened, post, stream
from workers_ai.simulator.serve import RunningSimulator


def test_comments_keep_a_silent_stream_alive(tuned_client: httpx.Client) -> None:
    seen = stream(tuned_client, "Say a [simulate slow-tokens seconds=0.45]")
    assert seen.text == "a"
    assert len(seen.comments) >= 4


def test_a_lively_stream_gets_no_comments(client: httpx.Client) -> None:
    assert stream(client, "50 words").comments == []


def test_comments_come_before_upstreams_first_byte(tuned_client: httpx.Client) -> None:
    seen = stream(tuned_client, "Say hello [simulate slow seconds=0.9]")
    assert seen.text == "hello"
    early = [at for at in seen.comments if at < seen.at_s[0]]
    assert len(early) >= 3


def test_an_error_after_comments_comes_as_an_event(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client
) -> None:
    request_id = new_id()
    seen = stream(tuned_client, "Hi [simulate hang]", request_id=request_id)
    assert seen.chunks == []
    assert seen.errors[0]["code"] == "upstream_timeout"
    row = tuned_gateway.row(request_id)
    assert (row.end_reason, row.error_code) == ("upstream_timeout", "upstream_timeout")


def test_no_first_byte_in_time_is_504(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    response = post(tuned_client, chat_body("Hi [simulate hang]"), request_id=request_id)
    assert_openai_error(response, 504, code="upstream_timeout")
    assert len(upstream.requests) == 1, "a time-out is not tried again"
    row = tuned_gateway.row(request_id)
    assert (row.status, row.end_reason) == (504, "upstream_timeout")
    assert row.cost_nano_usd == 0


def test_a_stream_that_goes_silent_ends_with_an_error(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client
) -> None:
    request_id = new_id()
    seen = stream(tuned_client, "9 words [simulate stall after=3]", request_id=request_id)
    assert seen.errors[0]["code"] == "upstream_timeout"
    assert seen.dones == 0
    row = tuned_gateway.row(request_id)
    assert (row.end_reason, row.usage_source) == ("upstream_timeout", "partial")


def test_hanging_up_among_comments_cancels_upstream(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    body = chat_body("Hi [simulate slow seconds=9]")
    with opened(tuned_client, body, request_id=request_id) as (response, seen):
        for _ in events(response, seen):
            break
    assert seen.comments
    tuned_gateway.wait_until(
        lambda: upstream.requests[-1].ended == "client_closed", "upstream sees the close", 5
    )
    assert tuned_gateway.row(request_id).end_reason == "client_gone"


@pytest.mark.parametrize("code", [3040, 3021, 8008])
def test_a_passing_failure_is_tried_again(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator, code: int
) -> None:
    request_id = new_id()
    text = f"Say hello {request_id} [simulate flaky times=1 code={code}]"
    response = post(client, chat_body(text), request_id=request_id)
    assert response.status_code == 200, response.text
    assert len(upstream.requests) == 2
    assert gateway.row(request_id).attempts == 2


def test_a_connection_that_is_dropped_unanswered_is_502(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    response = post(tuned_client, chat_body("Hi [simulate drop]"), request_id=request_id)
    assert_openai_error(response, 502, code="upstream_unreachable")
    assert len(upstream.requests) == 2
    row = tuned_gateway.row(request_id)
    assert (row.end_reason, row.attempts, row.cost_nano_usd) == ("upstream_error", 2, 0)


def test_log_lines_are_json_when_asked_for(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client
) -> None:
    request_id = new_id()
    post(tuned_client, chat_body(), request_id=request_id)
    tuned_gateway.wait_until(lambda: f'"request_id":"{request_id}"' in tuned_gateway.log, "a line")


def test_the_static_key_has_a_row_of_its_own(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client
) -> None:
    request_id = new_id()
    post(tuned_client, chat_body(model=OPENAI), request_id=request_id)
    assert tuned_gateway.row(request_id).key_id is not None
