"""Traces and metrics over OTLP, as a collector gets them that really decodes them."""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from proxysite.setting_readers.otlp import Collector as To
from proxysite.setting_readers.otlp import SecretHeaders
from proxysite.telemetry import request_trace, sending
from proxysite.telemetry.full_queue import FullQueueFilter
from tests.gateway import GatewayProcess, running_gateway
from tests.openai_api.chats import OPENAI, VLLM, chat_body, new_id, opened, post
from tests.proxysite.collector import CLIENT, SERVER, Collector, SentSpan, running_collector
from workers_ai.simulator.serve import RunningSimulator

SECRET = "Bearer collectors-own-secret"
PROMPT = "A prompt about walruses"
# Nobody's but the tests': a client's trace, with the state of two vendors.
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
OFTEN = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "200"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


@pytest.fixture(scope="module")
def session_traced(
    collector: Collector,
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    settings = {
        **OFTEN,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20collectors-own-secret,x-tenant=7",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests",
        "WEB_CONCURRENCY": "2",
    }
    folder = tmp_path_factory.mktemp("traced")
    with (
        django_db_blocker.unblock(),
        running_gateway(folder, session_upstream, **settings) as gateway,
    ):
        yield gateway


@pytest.fixture
def traced(
    session_traced: GatewayProcess, upstream: RunningSimulator, django_db_blocker: Any
) -> Iterator[GatewayProcess]:
    with django_db_blocker.unblock():
        yield session_traced


@pytest.fixture
def holder(traced: GatewayProcess) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {traced.issue_key('Ada Lovelace', 'ada@example.com')}"}
    with httpx.Client(base_url=traced.url + "/v1", headers=headers, timeout=30) as client:
        yield client


def sent_upstream(upstream: RunningSimulator) -> list[dict[str, str]]:
    """The headers of the calls of models, in their order."""
    return [call.headers for call in upstream.requests if call.method == "POST"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_chat_is_a_span_in_the_clients_trace_with_the_figures_of_its_row(
    streamed: bool,
    traced: GatewayProcess,
    holder: httpx.Client,
    upstream: RunningSimulator,
    collector: Collector,
) -> None:
    request_id = new_id()
    context = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01", "tracestate": STATE}
    body = chat_body(PROMPT, stream=streamed, user="ada@example.com")
    answer = post(holder, body, request_id=request_id, **context)
    assert answer.status_code == 200
    row = traced.row(request_id)
    server, (call,) = collector.of_request(request_id)

    assert (server.name, server.kind, server.failed) == (f"chat {OPENAI}", SERVER, False)
    assert (server.trace_id, server.parent_id, server.state) == (TRACE_ID, SPAN_ID, STATE)
    assert (call.name, call.kind, call.trace_id) == (f"chat {OPENAI}", CLIENT, TRACE_ID)
    assert call.attributes["http.response.status_code"] == 200
    assert 0 < call.duration_s <= server.duration_s
    (sent,) = sent_upstream(upstream)
    assert sent["traceparent"] == f"00-{TRACE_ID}-{call.span_id}-01"
    assert sent["tracestate"] == STATE

    told = server.attributes
    assert row.cost_nano_usd is not None and row.neurons_micro is not None
    assert told["gateway.cost_usd"] == pytest.approx(row.cost_nano_usd / 1e9)
    assert told["gateway.neurons"] == pytest.approx(row.neurons_micro / 1e6)
    assert {name: told.get(name) for name in told.keys() & expected(row).keys()} == expected(row)
    assert ("gen_ai.response.time_to_first_chunk" in told) == streamed
    assert server.resource["service.name"] == "workers-ai-gateway"
    assert server.resource["deployment.environment.name"] == "tests"


def expected(row: Any) -> dict[str, Any]:
    return {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "cloudflare.workers_ai",
        "gen_ai.system": "cloudflare.workers_ai",
        "gen_ai.request.model": OPENAI,
        "gen_ai.response.model": OPENAI,
        "gen_ai.request.stream": row.stream,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": row.prompt_tokens,
        "gen_ai.usage.output_tokens": row.completion_tokens,
        "gateway.key.id": row.key_id,
        "gateway.owner.id": row.owner_id,
        "gateway.cache_hit": False,
        "gateway.end_reason": "complete",
        "gateway.attempts": 1,
    }


def test_every_way_to_end_is_told(
    traced: GatewayProcess, holder: httpx.Client, upstream: RunningSimulator, collector: Collector
) -> None:
    def told(text: str, status: int = 200, **fields: Any) -> tuple[SentSpan, list[SentSpan]]:
        request_id = new_id()
        answer = post(holder, chat_body(text, **fields), request_id=request_id)
        assert answer.status_code == status, answer.text
        return collector.of_request(request_id)

    server, calls = told("Hi [simulate flaky times=1]")
    assert [call.failed for call in calls] == [True, False]
    assert calls[0].attributes["error.type"] == "NoCapacity"
    assert calls[0].attributes["gateway.upstream.code"] == 3040
    assert calls[1].attributes["http.request.resend_count"] == 1
    assert (server.failed, server.attributes["gateway.attempts"]) == (False, 2)

    server, calls = told("Hi [simulate cut-stream]", stream=True)
    assert server.failed and calls[0].failed
    assert server.attributes["gateway.end_reason"] == "upstream_cut"
    assert calls[0].attributes["error.type"] == "StreamCut"

    server, calls = told("Hi [simulate error-10000]", 502)
    assert server.failed and server.attributes["error.type"]

    # What a client does wrong is no failure of the gateway.
    server, calls = told("Hi", 400, temperature="hot")
    assert (server.failed, calls) == (False, [])
    assert server.attributes["gateway.end_reason"] == "rejected"

    server, calls = told("Hi [simulate gateway-cache-hit]")
    assert server.attributes["gateway.cache_hit"] and calls[0].attributes["gateway.cache_hit"]

    request_id = new_id()
    body = chat_body("900 words [simulate slow-tokens seconds=0.1]")
    with opened(holder, body, request_id=request_id) as (response, _):
        next(response.iter_raw())
    server, (call,) = collector.of_request(request_id)
    assert server.attributes["error.type"] == "client_gone" and not server.failed
    assert call.attributes["error.type"] == "CancelledError"

    # Nobody that the ledger knows.
    request_id = new_id()
    headers = {"authorization": "Bearer sk-wai-nobodys", "x-request-id": request_id}
    body = {"model": OPENAI, "messages": []}
    httpx.post(f"{traced.url}/v1/chat/completions", headers=headers, json=body)
    server, calls = collector.of_request(request_id)
    assert (server.name, server.attributes["error.type"]) == ("POST /v1/chat/completions", "401")
    assert "gateway.key.id" not in server.attributes and not server.failed
    for path, name in (("models", "GET /v1/models"), ("no/such/path", "GET")):
        request_id = new_id()
        holder.get(f"/{path}", headers={"x-request-id": request_id})
        assert collector.of_request(request_id)[0].name == name


def test_who_is_not_sampled_has_no_span_and_upstream_knows(
    holder: httpx.Client, upstream: RunningSimulator, collector: Collector
) -> None:
    """And a `traceparent` that is none begins no trace."""
    quiet, loud = new_id(), new_id()
    post(holder, chat_body(), request_id=quiet, traceparent=f"00-{TRACE_ID}-{SPAN_ID}-00")
    post(holder, chat_body(), request_id=loud, traceparent=f"00-{'0' * 32}-{SPAN_ID}-01")
    server, _ = collector.of_request(loud)
    assert server.parent_id == "" and server.trace_id not in (TRACE_ID, "0" * 32)
    assert quiet not in {span.attributes.get("gateway.request.id") for span in collector.spans}
    first, second = sent_upstream(upstream)
    assert first["traceparent"].startswith(f"00-{TRACE_ID}-")
    assert first["traceparent"].endswith("-00")
    assert second["traceparent"].startswith(f"00-{server.trace_id}-")


def test_metrics_are_each_workers_own_and_add_up(
    traced: GatewayProcess, collector: Collector
) -> None:
    def point(name: str, instance: str, **attributes: str) -> Any:
        """The newest."""
        wanted = {"name": name, "instance": instance, **attributes}
        found = [p for p in collector.metrics if wanted.items() <= p.items()]
        return found[-1] if found else {"count": 0, "sum": 0}

    def instances() -> set[str]:
        return {point["instance"] for point in collector.metrics}

    def all_in() -> bool:
        return len(instances()) == 2 and grown("gen_ai.server.request.duration", "count") == 6

    def grown(name: str, what: str, **attributes: str) -> float:
        of_model = {**attributes, "gen_ai.response.model": VLLM}
        return sum(float(point(name, one, **of_model)[what]) for one in instances())

    # A connection of its own for each, so that both workers get some.
    used, key = [], traced.issue_key()
    for _ in range(6):
        with httpx.Client(base_url=traced.url + "/v1") as client:
            client.headers["authorization"] = f"Bearer {key}"
            used.append(post(client, chat_body(PROMPT, VLLM)).json()["usage"])
    collector.wait_for(all_in, "six requests of two workers")
    tokens = "gen_ai.client.token.usage"
    for kind, field in (("input", "prompt_tokens"), ("output", "completion_tokens")):
        sent = grown(tokens, "sum", **{"gen_ai.token.type": kind})
        assert sent == sum(usage[field] for usage in used)
    assert grown("gateway.cost", "sum") == pytest.approx(sum(usage["cost"] for usage in used))
    assert {"gateway.ledger.healthy", "gateway.ledger.waiting_rows"} <= {
        point["name"] for point in collector.metrics
    }


def test_nothing_that_is_sent_has_a_text_a_secret_or_a_name(
    traced: GatewayProcess, holder: httpx.Client, upstream: RunningSimulator, collector: Collector
) -> None:
    request_id = new_id()
    spoken = chat_body(PROMPT, user="ada@example.com")
    answer = post(holder, spoken, request_id=request_id).json()["choices"][0]["message"]["content"]
    collector.of_request(request_id)
    sent = b"".join(collector.bodies)
    key = holder.headers["authorization"].removeprefix("Bearer ")
    for secret in (key, PROMPT, answer, "ada@example.com", "Ada Lovelace", "collectors-own"):
        assert secret.encode() not in sent
    for secret in (upstream.account_id, upstream.api_token):
        assert secret.encode() not in sent
    assert {headers["authorization"] for headers in collector.headers} == {SECRET}
    assert {headers["content-encoding"] for headers in collector.headers} == {"gzip"}
    assert "collectors-own-secret" not in traced.log


def test_a_collector_that_is_down_slow_or_refuses_costs_no_request_anything(
    collector: Collector, start_gateway: Any, session_gateway: GatewayProcess
) -> None:
    """It is told once, in the log; and what waits when the gateway stops is sent."""
    settings = {**OFTEN, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    settings |= {"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_TIMEOUT": "300"}
    collector.go_on.clear()
    gateway = start_gateway(**settings)
    headers = {"authorization": f"Bearer {gateway.issue_key()}"}
    with httpx.Client(base_url=gateway.url + "/v1", headers=headers, timeout=30) as client:
        assert post(client, chat_body()).status_code == 200
        gateway.wait_until(lambda: "does not answer in time" in gateway.log, "it is told")
        collector.go_on.set()
        for status in (400, 200):
            collector.answers = [status]
            request_id = new_id()
            assert post(client, chat_body(), request_id=request_id).status_code == 200
            collector.wait_for(lambda: not collector.answers, "a batch")
        collector.of_request(request_id)
        gateway.wait_until(lambda: "takes traces again" in gateway.log, "it is told")
        # From here on the batch that waits is the last one's.
        request_id = new_id()
        post(client, chat_body(), request_id=request_id)
    assert gateway.stop() == 0
    collector.of_request(request_id)
    assert gateway.log.count("does not take traces") == 1
    assert "Traceback" not in gateway.log
    loaded = {libraries_of(pid) for pid in session_gateway.worker_pids}
    assert loaded == {False}, "without a collector nothing of it is imported"


def libraries_of(pid: int) -> bool:
    """Whether the process has loaded protobuf, which all that is sent needs."""
    return "google/_upb" in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.parametrize("hangs", [False, True])
def test_what_waits_is_sent_at_the_end_unless_the_collector_hangs(
    hangs: bool, collector: Collector, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    settings.OTEL_TRACES = To(f"{collector.url}/v1/traces", SecretHeaders(), 10, "none", "")
    monkeypatch.setattr(sending, "FLUSH_S", 0.2 if hangs else 30)
    telemetry = sending.Telemetry()
    request_id = new_id()
    request: Any = SimpleNamespace(
        method="GET", path="/v1/key", api_path="key", request_id=request_id, raw_headers={}
    )
    trace = telemetry.begin(request)
    assert trace is not None
    trace.end(200)
    if hangs:
        collector.go_on.clear()
    telemetry.stop()
    assert ("took not all" in caplog.text) == hangs
    collector.go_on.set()
    assert collector.of_request(request_id)[0].name == "GET /v1/key"


@pytest.mark.parametrize(
    ("name", "traced", "untraced"),
    [
        ("always_on", 100, 100),
        ("always_off", 0, 0),
        ("traceidratio", 25, 25),
        ("parentbased_always_off", 100, 0),
        ("parentbased_traceidratio", 100, 0),
    ],
)
def test_samplers_are_those_of_the_specification(
    name: str, traced: int, untraced: int, settings: Any
) -> None:
    """Of 100 requests, with a client that traces, and with one that does not."""
    settings.OTEL_TRACES_SAMPLER, settings.OTEL_TRACES_SAMPLER_ARG = name, 0.25
    sampler = sending._sampler()
    for flags, wanted in (("01", traced), ("00", untraced)):
        found = 0
        for number in range(100):
            trace_id = (number * 2**64 // 100) | 1 << 100
            parent = f"00-{trace_id:032x}-{SPAN_ID}-{flags}".encode()
            context = request_trace.context_of({b"traceparent": parent})
            found += sampler.should_sample(context, trace_id, "chat").decision.is_sampled()
        assert found == wanted


def test_a_full_queue_is_told_once_an_hour() -> None:
    told = FullQueueFilter()
    full = logging.LogRecord(
        "opentelemetry", 30, "", 0, "Queue full, dropping %s.", ("Span",), None
    )
    other = logging.LogRecord("opentelemetry", 40, "", 0, "Failed to export", (), None)
    assert [told.filter(record) for record in (other, full, full)] == [False, True, False]
    assert "oldest are dropped" in full.getMessage()
