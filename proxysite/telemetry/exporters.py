"""The SDK's exporters, with a bound on what they read, and a log line for the first failure.

They run on threads of the SDK. A collector that cannot be reached is told once, and once more when
it takes batches again; the text says why, never with which headers.
"""

import logging
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from proxysite.setting_readers.otlp import Collector

logger = logging.getLogger(__name__)

# Of an answer, in which only its status matters.
MOST_ANSWER_BYTES: Final = 64 * 1024


class CollectorSession(requests.Session):
    """Connections to a collector. `failure` tells why the last request was in vain."""

    def __init__(self) -> None:
        super().__init__()
        self.failure = ""

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            kwargs["stream"] = True
            response = super().request(*args, **kwargs)
            if len(response.raw.read(MOST_ANSWER_BYTES + 1)) > MOST_ANSWER_BYTES:
                response.close()
        except Exception as error:
            self.failure = _cause(error)
            raise
        status = response.status_code
        self.failure = "" if 200 <= status < 300 else f"it answers with status {status}"
        return response


class _Told:
    """Whether batches arrive, as far as the log knows."""

    def __init__(self, what: str, url: str) -> None:
        self.session = CollectorSession()
        self._what = what
        self._where = urlsplit(url).netloc
        self._is_failing = False

    def note(self, arrived: bool) -> None:
        if arrived == (not self._is_failing):
            return
        self._is_failing = not arrived
        if arrived:
            logger.warning("The collector at %s takes %s again.", self._where, self._what)
        else:
            why = self.session.failure or "the batch cannot be sent"
            logger.warning(
                "The collector at %s does not take %s: %s. What cannot be sent is dropped; "
                "requests do not wait for it.",
                self._where,
                self._what,
                why,
            )


class SpanExporter(OTLPSpanExporter):
    def __init__(self, to: Collector) -> None:
        self._told = _Told("traces", to.url)
        super().__init__(**_options(to), session=self._told.session)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self._told.note(result is SpanExportResult.SUCCESS)
        return result


class MetricExporter(OTLPMetricExporter):
    def __init__(self, to: Collector) -> None:
        self._told = _Told("metrics", to.url)
        super().__init__(**_options(to), session=self._told.session)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self._told.note(result is MetricExportResult.SUCCESS)
        return result


def _options(to: Collector) -> dict[str, Any]:
    return {
        "endpoint": to.url,
        "headers": to.headers,
        "timeout": to.timeout_s,
        "compression": Compression(to.compression),
        "certificate_file": to.certificate or _authorities(),
    }


def _authorities() -> str | None:
    """Those that the system trusts; requests would take a list of its own."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    return paths.capath if paths.capath and any(Path(paths.capath).iterdir()) else None


def _cause(error: Exception) -> str:
    """Not the error's own words, which may have a header in them."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted, or it speaks no TLS"
    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection to it"
    return type(error).__name__
