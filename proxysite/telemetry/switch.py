"""Whether this worker traces and measures for a collector: `telemetry` is None where not.

What sends is imported only then.
"""

from typing import TYPE_CHECKING, Optional

from django.conf import settings

if TYPE_CHECKING:
    from proxysite.telemetry.sending import Telemetry

telemetry: Optional["Telemetry"] = None


def start() -> None:
    """Begins to send, where the settings name a collector. Its threads do not survive a fork."""
    global telemetry
    if settings.OTEL_TRACES is not None or settings.OTEL_METRICS is not None:
        from proxysite.telemetry.sending import Telemetry

        telemetry = Telemetry()


def stop() -> None:
    """Sends what waits, for as long as `sending.FLUSH_S`."""
    global telemetry
    if telemetry is not None:
        stopping, telemetry = telemetry, None
        stopping.stop()
