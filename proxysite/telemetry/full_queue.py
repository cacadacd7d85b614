"""Which of OpenTelemetry's own log lines are told.

Each failure to send would be one, and each span that finds the queue full. `exporters.py` tells of
the first failure and of its end; of a full queue one line an hour is enough.
"""

import logging
import time
from typing import Final

TOLD_AGAIN_AFTER_S: Final = 3600.0


class FullQueueFilter(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._quiet_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if not str(record.msg).startswith("Queue full") or now < self._quiet_until:
            return False
        self._quiet_until = now + TOLD_AGAIN_AFTER_S
        record.msg = "More spans end than the collector takes: the oldest are dropped."
        record.args = ()
        return True
