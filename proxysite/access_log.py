"""One log line for each request: who asked for what, how it ended, how long it took. No secret, no
prompt, no query string.
"""

import logging
import os
import threading
import time
from functools import lru_cache
from typing import Final

from proxysite.log_format import shortened

logger = logging.getLogger("gateway.access")

# Longer than any that means something here.
LONGEST_PATH: Final = 500

# What all lines have in common, made once: a new LogRecord looks up file, module, process and
# thread, and `logger.info` would search the stack for the caller's line as well.
_COMMON = vars(logging.LogRecord(logger.name, logging.INFO, __file__, 0, "%s %s %d", (), None))
_LOGGING_BEGAN_S = _COMMON["created"] - _COMMON["relativeCreated"] / 1000


@lru_cache(maxsize=64)
def _name_of(thread: int) -> str:
    """Of the running thread, which is nearly always the loop's."""
    return threading.current_thread().name


def log_request(
    *,
    method: str,
    path: str,
    status: int,
    duration_ms: float,
    request_id: str,
    client_ip: str,
    key_id: int | None = None,
    note: str = "",
) -> None:
    """Writes the line; `status` 499 means that the client disconnected before the end."""
    if not logger.isEnabledFor(logging.INFO):
        return
    if len(path) > LONGEST_PATH:
        path = shortened(path, LONGEST_PATH)
    record = logging.LogRecord.__new__(logging.LogRecord)
    now = time.time()
    record.__dict__.update(
        _COMMON,
        args=(method, path, status),
        created=now,
        msecs=int(now % 1 * 1000) + 0.0,
        relativeCreated=(now - _LOGGING_BEGAN_S) * 1000,
        thread=(thread := threading.get_ident()),
        threadName=_name_of(thread),
        process=os.getpid(),
        fields={
            "method": method,
            "path": path,
            "status": status,
            "duration_ms": round(duration_ms, 1),
            "request_id": request_id,
            "client_ip": client_ip,
            "key": key_id,
            "note": note,
        },
    )
    logger.handle(record)
