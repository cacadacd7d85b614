"""One request as OpenTelemetry tells it: a SERVER span, a CLIENT span for each call upstream, and
what it adds to the metrics.

Names are those of the semantic conventions for HTTP and for generative AI (both as of November
2026), and below `gateway.` what they have no name for. All figures are those of the row that the
ledger books. There is no text of prompts and answers, nothing of a secret, no name of a person and
no account id.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from keys.ledger.rows import LedgerRow, fit_text
from openai_api.served import SERVED
from openai_api.urls import urlpatterns
from proxysite.telemetry.meters import Meters
from workers_ai.errors import Refused, WorkersAIError

PROVIDER: Final = "cloudflare.workers_ai"
# Endpoint → its `gen_ai.operation.name`, where the conventions have one.
_OPERATIONS: Final = {
    "chat": "chat",
    "responses": "chat",
    "messages": "chat",
    "completions": "text_completion",
}
_ENDPOINTS: Final = {
    **{served.path.removeprefix("/v1/"): name for name, served in SERVED.items()},
    "v2/rerank": "rerank",
}
_PATHS: Final = frozenset(str(pattern.pattern) for pattern in urlpatterns)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
LONGEST_PATH: Final = 500
_HOST: Final = urlsplit(settings.CLOUDFLARE_API_BASE_URL).hostname or ""
_NANO: Final = 10**9
_MICRO: Final = 10**6
# Neither is a failure of the gateway or of Cloudflare.
_SOUND_ENDS: Final = ("complete", "client_gone")
# Column of the row → attribute. What is not known is left out.
_OF_ROW: Final = (
    ("requested_model", "gen_ai.request.model"),
    ("model", "gen_ai.response.model"),
    ("prompt_tokens", "gen_ai.usage.input_tokens"),
    ("completion_tokens", "gen_ai.usage.output_tokens"),
    ("cached_tokens", "gen_ai.usage.cache_read.input_tokens"),
    ("reasoning_tokens", "gen_ai.usage.reasoning.output_tokens"),
    ("session", "gen_ai.conversation.id"),
    ("key_id", "gateway.key.id"),
    ("owner_id", "gateway.owner.id"),
    ("team_id", "gateway.team.id"),
    ("end_reason", "gateway.end_reason"),
    ("usage_source", "gateway.usage_source"),
    ("attempts", "gateway.attempts"),
    ("waited_ms", "gateway.waited_ms"),
    ("images", "gateway.images"),
)

# Of texts that a caller chose.
LONGEST_TEXT: Final = 200
LARGEST_NUMBER: Final = 10**15
_PROPAGATES: Final = "tracecontext" in settings.OTEL_PROPAGATORS
_NO_CONTEXT: Final = Context()
_propagator = TraceContextTextMapPropagator()
Attributes = dict[str, AttributeValue]


def context_of(raw_headers: Mapping[bytes, bytes]) -> Context:
    """The trace that the client's `traceparent` names, where it is valid and wanted."""
    if b"traceparent" not in raw_headers or not _PROPAGATES:
        return _NO_CONTEXT
    sent = {
        name: raw_headers[name.encode()].decode("latin-1")
        for name in ("traceparent", "tracestate")
        if name.encode() in raw_headers
    }
    return _propagator.extract(sent, Context())


class RequestTrace:
    """From the head of a request to the last byte of its answer. It refers to no request, so that
    it keeps none in memory. `model` is the one that is asked now."""

    __slots__ = (
        "_booked",
        "_calls",
        "_context",
        "_hits",
        "_meters",
        "_operation",
        "_span",
        "_tracer",
        "model",
    )

    def __init__(
        self,
        tracer: Tracer | None,
        meters: Meters | None,
        *,
        method: str,
        path: str,
        api_path: str,
        request_id: str,
        raw_headers: Mapping[bytes, bytes],
    ) -> None:
        self._tracer = tracer
        self._meters = meters
        self._booked: LedgerRow | None = None
        self._calls = self._hits = 0
        self._span: Span | None = None
        self.model = ""
        endpoint = _ENDPOINTS.get(api_path, "")
        self._operation = _OPERATIONS.get(endpoint, endpoint)
        if tracer is not None:
            shown = method if method in _METHODS else "_OTHER"
            route = _route(api_path)
            told: Attributes = {
                "http.request.method": shown,
                "url.path": fit_text(path, LONGEST_PATH),
                "gateway.request.id": request_id,
            }
            if route:
                told["http.route"] = route
            self._span = tracer.start_span(
                f"{shown} {route}".rstrip(), context_of(raw_headers), SpanKind.SERVER, told
            )
            self._context = set_span_in_context(self._span, Context())

    def booked(self, row: LedgerRow) -> None:
        """The ledger's row of this request."""
        self._booked = row

    def call(self, what: str, attempt: int) -> "CallTrace | None":
        """A call upstream begins, of the model or of `what` else; None where only metrics are
        wanted."""
        if self._tracer is None:
            return None
        operation = what or self._operation
        told: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER,
            "http.request.method": "POST",
            "server.address": _HOST,
        }
        if not what:
            told["gen_ai.request.model"] = self.model
        if attempt > 1:
            told["http.request.resend_count"] = attempt - 1
        name = what or f"{operation} {self.model}"
        self._calls += 1
        return CallTrace(self._tracer.start_span(name, self._context, SpanKind.CLIENT, told), self)

    def hit(self) -> None:
        """A call was answered from AI Gateway's cache."""
        self._hits += 1

    def end(self, status: int) -> None:
        """The answer has left, or the client has."""
        row = self._booked
        if self._meters is not None and self._operation:
            self._meters.add(self._operation, row, status)
        span = self._span
        if span is None or not span.is_recording():
            return
        span.set_attribute("http.response.status_code", status)
        if row is None:
            if status >= 400:
                span.set_attribute("error.type", str(status))
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR))
        else:
            self._tell_row(span, row, status)
        span.end()

    def _tell_row(self, span: Span, row: LedgerRow, status: int) -> None:
        operation = self._operation
        told: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER,
            # Its name until 2025, by which many still search.
            "gen_ai.system": PROVIDER,
            "gen_ai.request.stream": row.stream,
            "gateway.cache_hit": 0 < self._calls == self._hits,
        }
        for column, name in _OF_ROW:
            value = getattr(row, column)
            if value is not None and value != "":
                told[name] = _fit(value)
        if row.finish_reason:
            told["gen_ai.response.finish_reasons"] = (row.finish_reason,)
        if row.cost_nano_usd is not None:
            told["gateway.cost_usd"] = row.cost_nano_usd / _NANO
        if row.neurons_micro is not None:
            told["gateway.neurons"] = row.neurons_micro / _MICRO
        if row.audio_ms is not None:
            told["gateway.audio_seconds"] = row.audio_ms / 1000
        if row.ttft_ms is not None and row.stream:
            told["gen_ai.response.time_to_first_chunk"] = row.ttft_ms / 1000
        if row.end_reason != "complete":
            told["error.type"] = row.error_code or row.end_reason
        span.set_attributes(told)
        span.update_name(f"{operation} {row.model}" if row.model else operation)
        broke_off = row.status < 400 and row.end_reason not in _SOUND_ENDS
        if max(row.status, status) >= 500 or broke_off:
            span.set_status(Status(StatusCode.ERROR))


class CallTrace:
    """One call upstream. `headers` go with it."""

    __slots__ = ("_request", "_span", "headers")

    def __init__(self, span: Span, request: RequestTrace) -> None:
        self._span = span
        self._request = request
        carrier: dict[str, str] = {}
        if _PROPAGATES:
            _propagator.inject(carrier, set_span_in_context(span, Context()))
        self.headers = [(name.encode(), value.encode()) for name, value in carrier.items()]

    def answered(self, status: int, *, from_cache: bool) -> None:
        self._span.set_attribute("http.response.status_code", status)
        if from_cache:
            self._request.hit()
            self._span.set_attribute("gateway.cache_hit", True)

    def end(self, error: BaseException | None = None) -> None:
        """The answer is in, or will not come. The error's text stays here: upstream may quote the
        prompt in it."""
        span = self._span
        if error is not None and span.is_recording():
            span.set_attribute("error.type", type(error).__name__)
            if isinstance(error, Refused):
                span.set_attribute("http.response.status_code", error.status)
                if error.code is not None:
                    span.set_attribute("gateway.upstream.code", error.code)
            if isinstance(error, WorkersAIError):
                span.set_status(Status(StatusCode.ERROR))
        span.end()


def _fit(value: int | str) -> int | str:
    """As OTLP can carry it: one value that it cannot would lose the whole batch."""
    if isinstance(value, str):
        return fit_text(value, LONGEST_TEXT)
    return min(max(value, 0), LARGEST_NUMBER)


def _route(api_path: str) -> str:
    """The path as it is documented; empty for one that does not exist."""
    if api_path in _PATHS:
        return f"/v1/{api_path}"
    return "/v1/models/{model}" if api_path.startswith("models/") else ""
