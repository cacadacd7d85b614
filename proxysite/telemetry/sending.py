"""The SDK as the settings want it: what samples, gathers and sends, for one worker.

Spans wait in a queue with a bound, out of which the oldest fall when it is full, and a thread sends
them; metrics are added up in memory and sent by another. So a collector that is slow or away costs
a request nothing.
"""

import logging
import threading
import time
import uuid
from typing import Final

from django.conf import settings
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)

from proxysite.api_request import ApiRequest
from proxysite.telemetry.exporters import MetricExporter, SpanExporter
from proxysite.telemetry.meters import Meters
from proxysite.telemetry.request_trace import RequestTrace

logger = logging.getLogger(__name__)

NAME: Final = "workers-ai-gateway"
# Spans of one batch: while it is encoded, for a few milliseconds, requests wait for the GIL.
MOST_AT_ONCE: Final = 128
# What still waits when a worker stops gets this long to be sent.
FLUSH_S: Final = 3.0


class Telemetry:
    """Made once the worker has been forked; its threads begin at once."""

    def __init__(self) -> None:
        resource = _resource()
        self._tracers = self._meters = None
        self._tracer = self._counted = None
        if settings.OTEL_TRACES is not None:
            self._tracers = TracerProvider(_sampler(), resource, shutdown_on_exit=False)
            queue = settings.OTEL_BSP_MAX_QUEUE_SIZE
            self._tracers.add_span_processor(
                BatchSpanProcessor(
                    SpanExporter(settings.OTEL_TRACES),
                    max_queue_size=queue,
                    schedule_delay_millis=settings.OTEL_BSP_SCHEDULE_DELAY,
                    max_export_batch_size=min(MOST_AT_ONCE, queue),
                )
            )
            self._tracer = self._tracers.get_tracer(NAME)
        if settings.OTEL_METRICS is not None:
            reader = PeriodicExportingMetricReader(
                MetricExporter(settings.OTEL_METRICS),
                settings.OTEL_METRIC_EXPORT_INTERVAL,
                settings.OTEL_METRICS.timeout_s * 1000,
            )
            self._meters = MeterProvider(
                [reader], resource, AlwaysOffExemplarFilter(), shutdown_on_exit=False
            )
            self._counted = Meters(self._meters.get_meter(NAME))

    def begin(self, request: ApiRequest) -> RequestTrace | None:
        """The trace of a request whose head has come; None for a browser's preflight."""
        if request.method == "OPTIONS":
            return None
        return RequestTrace(
            self._tracer,
            self._counted,
            method=request.method,
            path=request.path,
            api_path=request.api_path,
            request_id=request.request_id,
            raw_headers=request.raw_headers,
        )

    def stop(self) -> None:
        """Sends what waits, within FLUSH_S."""
        providers = [one for one in (self._tracers, self._meters) if one is not None]
        # Threads that end with the process: an export that hangs must not keep it.
        ending = [threading.Thread(target=one.shutdown, daemon=True) for one in providers]
        for thread in ending:
            thread.start()
        ends_at = time.monotonic() + FLUSH_S
        for thread in ending:
            thread.join(max(0.0, ends_at - time.monotonic()))
        if any(thread.is_alive() for thread in ending):
            logger.warning(
                "The collector took not all within %g s: traces or metrics are lost.", FLUSH_S
            )


def _resource() -> Resource:
    return Resource.create(
        {
            # Each worker counts for itself, and again from 0 after a restart.
            "service.instance.id": str(uuid.uuid4()),
            **settings.OTEL_RESOURCE_ATTRIBUTES,
            "service.name": settings.OTEL_SERVICE_NAME,
        }
    )


def _sampler() -> Sampler:
    rule = settings.OTEL_TRACES_SAMPLER.removeprefix("parentbased_")
    samplers: dict[str, Sampler] = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "traceidratio": TraceIdRatioBased(settings.OTEL_TRACES_SAMPLER_ARG),
    }
    sampler = samplers[rule]
    return sampler if rule == settings.OTEL_TRACES_SAMPLER else ParentBased(sampler)
