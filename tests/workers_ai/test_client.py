"""The client against the simulator, and against servers that break HTTP's promises."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from decimal import Decimal

import orjson
import pytest

from tests.workers_ai.clients import (
    MODEL,
    NO_RETRY,
    SHORT,
    TOKEN,
    Client,
    answering,
    chat,
    of_server,
    of_simulator,
)
from tests.workers_ai.raw_server import (
    STREAM_HEAD,
    RawServer,
    chunked,
    raw_server,
    response,
)
from workers_ai import audio_file, errors, sse
from workers_ai.answer import Answer as WholeAnswer
from workers_ai.answer import ByteSource, EventSource
from workers_ai.caller import Caller
from workers_ai.errors import WorkersAIError
from workers_ai.retry import RetryPolicy
from workers_ai.simulator.serve import RunningSimulator, running_simulator
from workers_ai.sse import Event


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(speed=0) as running:
        yield running


@pytest.fixture
def upstream(simulator: RunningSimulator) -> RunningSimulator:
    simulator.reset()
    return simulator


BUSY = response("429 Too Many", b'{"errors":[{"code":3040,"message":"busy"}],"success":false}')
FINE = response("200 OK", b'{"result":{"response":"hi"},"success":true}')


# --- Against the simulator --------------------------------------------------------------------


async def test_a_chat_is_answered_whole(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        answer = await client.chat(chat(), stream=False)
    assert isinstance(answer, WholeAnswer)
    assert answer.json()["choices"][0]["message"]["content"] == "hello"
    assert answer.attempts == 1
    assert answer.neurons is not None
    assert answer.neurons > 0


async def test_a_chat_is_streamed(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        source = await client.chat(chat(stream=True), stream=True)
        assert isinstance(source, EventSource)
        events = [data async for block in source for _, data in block]
    assert events[-1] == b"[DONE]"
    assert len(events) > 2


async def test_json_in_answer_to_a_stream_request_is_an_answer(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        body = chat("Hi [simulate json-for-stream]", stream=True)
        answer = await client.chat(body, stream=True)
    assert isinstance(answer, WholeAnswer)
    assert answer.json()["object"] == "chat.completion"


async def test_an_envelope_is_opened(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        answer = await client.run("@cf/baai/bge-base-en-v1.5", orjson.dumps({"text": ["a"]}))
    assert answer.json()["shape"] == [1, 768]


async def test_raw_bytes_are_left_as_they_are(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        answer = await client.run("@cf/leonardo/phoenix-1.0", orjson.dumps({"prompt": "a cat"}))
    assert answer.media_type == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8\xff")
    assert answer.neurons is None


async def test_a_models_name_stands_in_the_path_as_it_is(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        await client.run(MODEL, chat())
    assert upstream.requests[-1].path.endswith(f"/ai/run/{MODEL}")


async def test_a_models_name_cannot_leave_the_path() -> None:
    async with raw_server(answering(FINE)) as server, of_server(server) as client:
        await client.run("@cf/x/../../y?z=1#a b", b"{}")
    path = server.requests[0].split(b" ")[1]
    assert path.startswith(b"/accounts/account/ai/")
    assert b"?" not in path
    assert b"#" not in path


async def test_sound_comes_as_it_is_made(upstream: RunningSimulator) -> None:
    payload = orjson.dumps({"text": "word " * 40, "encoding": "linear16"})
    async with of_simulator(upstream) as client:
        answer = await client.run_for_bytes("@cf/deepgram/aura-1", payload)
        assert isinstance(answer, ByteSource)
        assert answer.media_type == "audio/wav"
        assert answer.neurons
        reads = [chunk async for chunk in answer]
    assert len(reads) > 1
    assert audio_file.seconds(b"".join(reads)) == pytest.approx(16)


async def test_sound_in_json_is_read_whole(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        answer = await client.run_for_bytes("@cf/myshell-ai/melotts", b'{"prompt": "Hi"}')
    assert isinstance(answer, WholeAnswer)
    assert answer.json()["audio"]


async def test_sound_that_breaks_off_is_cut(upstream: RunningSimulator) -> None:
    upstream.set_scenario("cut-stream", after=2)
    payload = orjson.dumps({"text": "word " * 40, "encoding": "linear16"})
    async with of_simulator(upstream) as client:
        answer = await client.run_for_bytes("@cf/deepgram/aura-1", payload)
        with pytest.raises(errors.StreamCut):
            async for _ in answer:  # type: ignore[union-attr]
                pass


async def test_the_affinity_is_sent(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        await client.chat(chat(), affinity="opaque", stream=False)
    assert upstream.requests[-1].headers["x-session-affinity"] == "opaque"


async def test_an_ai_gateway_is_named_on_each_call(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream, ai_gateway="simulated") as client:
        await client.chat(chat(), stream=False)
        await client.run("@cf/leonardo/phoenix-1.0", orjson.dumps({"prompt": "a cat"}))
    named = [request.headers["cf-aig-gateway-id"] for request in upstream.requests]
    assert named == ["simulated", "simulated"]


async def test_an_ai_gateway_keeps_no_text_unless_it_may(upstream: RunningSimulator) -> None:
    caller = Caller("7", ((b"cf-aig-metadata", b'{"key":"7"}'),))
    async with of_simulator(upstream, ai_gateway="simulated") as client:
        await client.chat(chat("Hi"), caller=caller, stream=False)
    async with of_simulator(upstream) as direct:
        await direct.chat(chat("Hi"), caller=caller, stream=False)
    routed, plain = (request.headers for request in upstream.requests)
    assert routed["cf-aig-collect-log-payload"] == "false"
    assert routed["cf-aig-metadata"] == '{"key":"7"}'
    assert not any(name.startswith("cf-aig-") for name in plain)


async def test_multipart_goes_past_the_ai_gateway(upstream: RunningSimulator) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na cat\r\n--b--\r\n'
    async with of_simulator(upstream, ai_gateway="simulated") as client:
        answer = await client.run(
            "@cf/black-forest-labs/flux-2-dev",
            form,
            content_type="multipart/form-data; boundary=b",
        )
    assert answer.status == 200
    assert "cf-aig-gateway-id" not in upstream.requests[-1].headers


async def test_an_answer_from_the_cache_says_so(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        fresh = await client.chat(chat(), stream=False)
        cached = await client.chat(chat("Hi [simulate gateway-cache-hit]"), stream=False)
    assert (fresh.from_cache, cached.from_cache) == (False, True)


async def test_the_list_has_every_model_once(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        names = [entry["name"] for entry in await client.list_models()]
    assert MODEL in names
    assert len(names) == len(set(names))


async def test_a_schema_has_input_and_output(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        assert set(await client.model_schema(MODEL)) >= {"input", "output"}


@pytest.mark.parametrize(
    ("scenario", "error_class"),
    [
        ("error-10000", errors.AccountFault),
        ("error-5007", errors.ModelMissing),
        ("error-3036", errors.AllocationUsedUp),
        ("error-object", errors.NoCapacity),
        ("html-502", errors.ServerFault),
        ("insufficient-balance", errors.AccountFault),
        ("semantic-422", errors.BadInput),
        ("success-false", errors.SchemaUnmet),
        ("drop", errors.Unreachable),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_each_failure_has_its_class(
    upstream: RunningSimulator, scenario: str, error_class: type[WorkersAIError], stream: bool
) -> None:
    async with of_simulator(upstream, retry=NO_RETRY) as client:
        with pytest.raises(error_class) as caught:
            await client.chat(chat(f"Hi [simulate {scenario}]", stream=stream), stream=stream)
    assert type(caught.value) is error_class


async def test_a_cut_stream_gives_its_events_and_then_raises(upstream: RunningSimulator) -> None:
    async with of_simulator(upstream) as client:
        body = chat("9 words [simulate cut-stream after=3]", stream=True)
        source = await client.chat(body, stream=True)
        assert isinstance(source, EventSource)
        events = []
        with pytest.raises(errors.StreamCut):
            async for block in source:
                events += block
    assert len(events) == 3
    assert len(upstream.requests) == 1


# --- Trying again -----------------------------------------------------------------------------


async def test_a_busy_upstream_is_asked_again() -> None:
    async with raw_server(answering(BUSY, BUSY, FINE)) as server, of_server(server) as client:
        answer = await client.chat(chat(), stream=False)
    assert answer.attempts == 3
    assert len(server.requests) == 3
    assert len(set(server.requests)) == 1


async def test_the_tries_end_with_their_number() -> None:
    async with raw_server(answering(BUSY)) as server, of_server(server) as client:
        with pytest.raises(errors.NoCapacity) as caught:
            await client.chat(chat(), stream=False)
    assert caught.value.attempts == len(server.requests) == 3


async def test_the_tries_end_with_their_budget() -> None:
    policy = RetryPolicy(retries=50, budget_s=0.2, first_delay_s=0.05, longest_delay_s=0.05)
    async with raw_server(answering(BUSY)) as server, of_server(server, retry=policy) as client:
        started = time.monotonic()
        with pytest.raises(errors.NoCapacity):
            await client.chat(chat(), stream=False)
    assert time.monotonic() - started < 5
    assert 2 <= len(server.requests) < 12


async def test_retry_after_is_waited_for() -> None:
    body = b'{"errors":[{"code":3040,"message":"busy"}],"success":false}'
    busy = response("429 Too Many", body, "retry-after: 0.3")
    async with raw_server(answering(busy, FINE)) as server, of_server(server) as client:
        started = time.monotonic()
        await client.chat(chat(), stream=False)
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("header", ["soon", "-1", "nan", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_an_odd_retry_after_is_no_fault(header: str) -> None:
    busy = response("429 Too Many", b"{}", f"retry-after: {header}")
    async with raw_server(answering(busy, FINE)) as server, of_server(server) as client:
        assert (await client.chat(chat(), stream=False)).attempts == 2


async def test_a_call_that_costs_each_time_is_not_repeated_once_sent() -> None:
    async def drop(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with raw_server(drop) as server, of_server(server) as client:
        with pytest.raises(errors.Unreachable):
            await client.run(MODEL, b"{}", repeatable=False)
    assert len(server.requests) == 1


async def test_a_whole_answer_that_breaks_off_is_not_asked_for_again() -> None:
    async def half(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(FINE[:-5])
        await writer.drain()
        writer.close()

    async with raw_server(half) as server, of_server(server) as client:
        with pytest.raises(errors.StreamCut):
            await client.chat(chat(), stream=False)
    assert len(server.requests) == 1


async def test_a_stream_that_breaks_off_is_not_asked_for_again() -> None:
    async def cut(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + chunked(b"data: 1\n\n"))
        await writer.drain()
        writer.close()

    async with raw_server(cut) as server, of_server(server) as client:
        source = await client.chat(chat(), stream=True)
        assert isinstance(source, EventSource)
        with pytest.raises(errors.StreamCut):
            async for _ in source:
                pass
    assert len(server.requests) == 1


# --- Time-outs and dead ends ------------------------------------------------------------------


async def then_silent(_request: bytes, _writer: asyncio.StreamWriter) -> None:
    return


async def then_silent_in_the_stream(_request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM_HEAD + chunked(b"data: 1\n\n"))


async def then_silent_after_the_head(_request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM_HEAD)


async def test_nobody_listening_is_unreachable_and_unsent() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with of_server(RawServer(port)) as client:
        with pytest.raises(errors.Unreachable) as caught:
            await client.chat(chat(), stream=False)
    assert caught.value.sent is False
    assert caught.value.attempts == 3


async def test_a_dropped_connection_is_unreachable_and_sent() -> None:
    async def drop(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with raw_server(drop) as server, of_server(server, retry=NO_RETRY) as client:
        with pytest.raises(errors.Unreachable) as caught:
            await client.chat(chat(), stream=False)
    assert caught.value.sent is True


@pytest.mark.parametrize("stream", [True, False])
async def test_no_answer_in_time_is_timed_out(stream: bool) -> None:
    async with raw_server(then_silent) as server, of_server(server, timeouts=SHORT) as client:
        with pytest.raises(errors.TimedOut) as caught:
            await client.chat(chat(), stream=stream)
        assert caught.value.phase == "first_byte"
        assert len(server.requests) == 1
        await asyncio.wait_for(server.closed.wait(), 1)


async def test_calls_that_wait_side_by_side_each_have_their_own_time() -> None:
    loop = asyncio.get_running_loop()

    async def waited(client: Client, begins_in_s: float) -> float:
        await asyncio.sleep(begins_in_s)
        began = loop.time()
        with pytest.raises(errors.TimedOut):
            await client.chat(chat(), stream=False)
        return loop.time() - began

    async with raw_server(then_silent) as server, of_server(server, timeouts=SHORT) as client:
        # One leaves before anybody's time is over.
        gone = asyncio.create_task(client.chat(chat(), stream=False))
        waiting = [waited(client, 0), waited(client, 0.1), waited(client, 0.2)]
        loop.call_later(0.05, gone.cancel)
        for seconds in await asyncio.gather(*waiting):
            assert 0.25 < seconds < 0.6
        assert gone.cancelled()


async def test_headers_are_no_first_byte() -> None:
    silent = raw_server(then_silent_after_the_head)
    async with silent as server, of_server(server, timeouts=SHORT) as client:
        source = await client.chat(chat(), stream=True)
        assert isinstance(source, EventSource)
        with pytest.raises(errors.TimedOut) as caught:
            async for _ in source:
                pass
    assert caught.value.phase == "first_byte"


async def test_silence_in_a_stream_is_timed_out_as_idle() -> None:
    silent = raw_server(then_silent_in_the_stream)
    async with silent as server, of_server(server, timeouts=SHORT) as client:
        source = await client.chat(chat(), stream=True)
        assert isinstance(source, EventSource)
        seen = 0
        with pytest.raises(errors.TimedOut) as caught:
            async for events in source:
                seen += len(events)
        assert seen == 1
        assert caught.value.phase == "idle"
        await asyncio.wait_for(server.closed.wait(), 1)


async def lively(_request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM_HEAD)
    for number in range(8):
        writer.write(chunked(b"data: %d\n\n" % number))
        await asyncio.sleep(0.02)
    writer.write(b"0\r\n\r\n")


async def test_a_slow_reader_is_no_silence_of_upstream() -> None:
    async with raw_server(lively) as server, of_server(server, timeouts=SHORT) as client:
        source = await client.chat(chat(), stream=True)
        assert isinstance(source, EventSource)
        seen = 0
        async for events in source:
            seen += len(events)
            if seen == 1:
                await asyncio.sleep(0.8)
    assert seen == 8


async def test_delivered_events_are_those_that_are_read(upstream: RunningSimulator) -> None:
    read, delivered = [], []
    async with of_simulator(upstream) as client:
        source = await client.chat(chat("90 words", stream=True), stream=True)
        assert isinstance(source, EventSource)
        async for events in source:
            read += [data for _, data in events if b"delta" in data]
        source = await client.chat(chat("90 words", stream=True), stream=True)
        assert isinstance(source, EventSource)
        await source.deliver(
            lambda events: delivered.extend(data for _, data in events if b"delta" in data)
        )
    assert len(delivered) == len(read) > 90


async def test_events_are_delivered_at_a_slow_takers_pace() -> None:
    taken: list[bytes] = []

    def take(events: list[Event]) -> Awaitable[None] | None:
        taken.extend(data for _, data in events)
        return asyncio.sleep(0.8) if len(taken) == 1 else None

    async with raw_server(lively) as server, of_server(server, timeouts=SHORT) as client:
        source = await client.chat(chat(), stream=True)
        assert isinstance(source, EventSource)
        await source.deliver(take)
    assert taken == [b"%d" % number for number in range(8)]


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [("silent", errors.TimedOut), ("cut", errors.StreamCut), ("endless", errors.StreamCut)],
)
async def test_a_delivery_that_ends_badly_says_so(
    answer: str, error_class: type[WorkersAIError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)

    async def badly(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + chunked(b"data: 1\n\n"))
        await writer.drain()
        if answer == "silent":
            await asyncio.sleep(60)
        if answer == "endless":
            writer.write(chunked(b"data: " + b"x" * 2000))
            await writer.drain()
        writer.close()

    taken: list[Event] = []
    async with raw_server(badly) as server, of_server(server, timeouts=SHORT) as client:
        source = await client.chat(chat(), stream=True)
        assert isinstance(source, EventSource)
        with pytest.raises(error_class):
            await source.deliver(taken.extend)
    if answer != "endless":  # where both may come in one read
        assert taken == [("", b"1")]


async def test_a_delivery_that_was_stopped_can_be_read_on() -> None:
    async def done_and_more(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + chunked(b"data: [DONE]\n\n"))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(chunked(b"data: usage\n\n") + b"0\r\n\r\n")

    async with raw_server(done_and_more) as server, of_server(server) as client:
        source = await client.chat(chat(), stream=True)
        assert isinstance(source, EventSource)
        await source.deliver(lambda _events: source.stop())
        late = [data async for events in source for _, data in events]
    assert late == [b"usage"]


async def test_cancelling_a_reader_closes_upstreams_connection_at_once() -> None:
    async with (
        raw_server(then_silent_in_the_stream) as server,
        of_server(server) as client,
    ):
        source = await client.chat(chat(), stream=True)
        assert isinstance(source, EventSource)

        async def read() -> None:
            async for _ in source:
                pass

        reading = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(server.closed.wait(), 1)


async def test_cancelling_a_waiting_call_closes_upstreams_connection_at_once() -> None:
    async with raw_server(then_silent) as server, of_server(server) as client:
        waiting = asyncio.create_task(client.chat(chat(), stream=False))
        await asyncio.wait_for(server.asked.wait(), 1)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(server.closed.wait(), 1)


async def test_closing_a_stream_closes_upstreams_connection_at_once() -> None:
    async with (
        raw_server(then_silent_in_the_stream) as server,
        of_server(server) as client,
    ):
        source = await client.chat(chat(), stream=True)
        assert isinstance(source, EventSource)
        await source.aclose()
        await asyncio.wait_for(server.closed.wait(), 1)


# --- What stays secret, and what does not stay ------------------------------------------------


def every_text(error: BaseException) -> str:
    """All that an error can show: its text, its repr, its arguments, and those of its causes."""
    shown = f"{error} {error!r} {error.args} {vars(error)}"
    for cause in (error.__cause__, error.__context__ if not error.__suppress_context__ else None):
        if cause is not None:
            shown += every_text(cause)
    return shown


@pytest.mark.parametrize(
    "answer",
    [
        response(
            "400 Bad Request",
            orjson.dumps({"errors": [{"code": 5006, "message": f"Bearer {TOKEN} of account"}]}),
        ),
        response("401 Unauthorized", orjson.dumps({"errors": [{"message": TOKEN}]})),
        response("200 OK", orjson.dumps({"success": False, "errors": [{"message": TOKEN}]})),
        response("502 Bad Gateway", TOKEN.encode(), media_type="text/html"),
        b"HTTP/1.1 nonsense " + TOKEN.encode() + b"\r\n\r\n",
    ],
)
async def test_the_token_is_in_no_error(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with raw_server(answering(answer)) as server, of_server(server) as client:
        with pytest.raises(WorkersAIError) as caught:
            await client.chat(chat(), stream=False)
        assert TOKEN not in repr(client)
        assert TOKEN not in repr(client.account)
    assert TOKEN not in every_text(caught.value)
    assert TOKEN not in caplog.text


async def test_cookies_are_not_kept() -> None:
    fine = response("200 OK", b"{}", "set-cookie: session=1; Path=/")
    async with raw_server(answering(fine)) as server, of_server(server) as client:
        await client.chat(chat(), stream=False)
        await client.chat(chat(), stream=False)
    assert b"cookie" not in server.requests[1].lower()


@pytest.mark.parametrize("status", ["301 Moved", "307 Temporary Redirect"])
async def test_a_redirect_is_not_followed_with_the_token(status: str) -> None:
    moved = response(status, b"", "location: http://127.0.0.1:1/")
    async with raw_server(answering(moved)) as server, of_server(server) as client:
        with pytest.raises(errors.AccountFault):
            await client.chat(chat(), stream=False)


async def test_a_wrong_base_url_reads_as_the_operators_fault() -> None:
    page = response("404 Not Found", b"<html></html>", media_type="text/html")
    async with raw_server(answering(page)) as server, of_server(server) as client:
        with pytest.raises(errors.AccountFault, match="CLOUDFLARE_API_BASE_URL"):
            await client.list_models()


@pytest.mark.parametrize("header", ["abc", "-1", "NaN", "Infinity", ""])
async def test_an_odd_neurons_header_is_none(header: str) -> None:
    fine = response("200 OK", b"{}", f"cf-ai-neurons: {header}")
    async with raw_server(answering(fine)) as server, of_server(server) as client:
        answer = await client.chat(chat(), stream=False)
    assert isinstance(answer, WholeAnswer)
    assert answer.neurons is None


async def test_neurons_are_exact() -> None:
    fine = response("200 OK", b"{}", "cf-ai-neurons: 0.0000001")
    async with raw_server(answering(fine)) as server, of_server(server) as client:
        answer = await client.chat(chat(), stream=False)
    assert isinstance(answer, WholeAnswer)
    assert answer.neurons == Decimal("0.0000001")


async def test_an_answer_that_is_no_json_is_unusable() -> None:
    page = response("200 OK", b"<html>", media_type="text/html")
    async with raw_server(answering(page)) as server, of_server(server) as client:
        answer = await client.chat(chat(), stream=False)
    assert isinstance(answer, WholeAnswer)
    with pytest.raises(errors.UnusableAnswer, match="text/html"):
        answer.json()
