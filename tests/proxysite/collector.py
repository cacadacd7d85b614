"""A collector for OTLP on this machine: it decodes what it gets, and answers as a test wants."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

SERVER, CLIENT = 2, 3  # SpanKind
ERROR = 2  # StatusCode


@dataclass(frozen=True)
class SentSpan:
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    failed: bool
    duration_s: float
    attributes: dict[str, Any]
    resource: dict[str, Any]


@dataclass
class Collector:
    """What has come. `answers` are the statuses for the next requests, 200 once they are used up;
    while `held` is set none is answered."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    spans: list[SentSpan] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    go_on: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.go_on.wait(60)
        with self.arrived:
            self.headers.append(headers)
            status = self.answers.pop(0) if self.answers else 200
            if status == 200:
                self.bodies.append(body)
                if path == "/v1/traces":
                    self.spans += spans_of(body)
                elif path == "/v1/metrics":
                    self.metrics += metrics_of(body)
                else:
                    status = 404
            self.arrived.notify_all()
        return status

    def wait_for(self, found: Callable[[], Any], what: str) -> Any:
        with self.arrived:
            assert self.arrived.wait_for(found, 30), f"the collector did not get {what}"
            return found()

    def of_request(self, request_id: str) -> tuple[SentSpan, list[SentSpan]]:
        """The span of a request and those below it, in their order; waits for them."""

        def found() -> SentSpan | None:
            ids = [s for s in self.spans if s.attributes.get("gateway.request.id") == request_id]
            return ids[0] if ids else None

        server = self.wait_for(found, f"the span of {request_id}")
        return server, [span for span in self.spans if span.parent_id == server.span_id]


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, str(kind))


def _attributes(pairs: "Iterator[KeyValue] | Any") -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def spans_of(body: bytes) -> list[SentSpan]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        SentSpan(
            span.name,
            span.kind,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.trace_state,
            span.status.code == ERROR,
            (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
            _attributes(span.attributes),
            _attributes(of_resource.resource.attributes),
        )
        for of_resource in request.resource_spans
        for scope in of_resource.scope_spans
        for span in scope.spans
    ]


def metrics_of(body: bytes) -> list[dict[str, Any]]:
    """A dictionary for each point: its metric's `name`, its `instance`, attributes and values."""
    request = ExportMetricsServiceRequest.FromString(body)
    found = []
    for of_resource in request.resource_metrics:
        instance = _attributes(of_resource.resource.attributes)["service.instance.id"]
        for scope in of_resource.scope_metrics:
            for metric in scope.metrics:
                data = getattr(metric, str(metric.WhichOneof("data")))
                for point in data.data_points:
                    is_histogram = metric.HasField("histogram")
                    number = 0 if is_histogram else point.as_int or point.as_double
                    found.append(
                        {
                            **_attributes(point.attributes),
                            "name": metric.name,
                            "unit": metric.unit,
                            "instance": instance,
                            "count": point.count if is_histogram else 0,
                            "sum": point.sum if is_histogram else number,
                        }
                    )
    return found


@contextmanager
def running_collector() -> Iterator[Collector]:
    collector = Collector()
    collector.go_on.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            status = collector.take(self.path, headers, body)
            try:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()
            except OSError:
                self.close_connection = True  # who sent it has given up

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            collector.go_on.set()
            server.shutdown()
            thread.join()
