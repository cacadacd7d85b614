"""One log line for each request: who asked for what, how it ended, how long it took. No secret, no
prompt, no query string.
"""

import logging
import os
import threading
import time
from functools import lru_cache
from typing import Final

from proxysite.log_format import HidingFormatter, shortened
from proxysite.log_handler import TurnHandler

logger = logging.getLogger("gateway.access")
_root = logging.getLogger()

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
    now = time.time()
    fields = {
        "method": method,
        "path": path,
        "status": status,
        "duration_ms": round(duration_ms, 1),
        "request_id": request_id,
        "client_ip": client_ip,
        "key": key_id,
        "note": note,
    }
    handler = _only_handler()
    if handler is not None and isinstance(handler.formatter, HidingFormatter):
        message = f"{method} {path} {status}"
        line = handler.formatter.line((now, "INFO", logger.name, message, fields, ""))
        if handler.take_line(line):
            return
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__.update(
        _COMMON,
        args=(method, path, status),
        created=now,
        msecs=int(now % 1 * 1000) + 0.0,
        relativeCreated=(now - _LOGGING_BEGAN_S) * 1000,
        thread=(thread := threading.get_ident()),
        threadName=_name_of(thread),
        process=os.getpid(),
        fields=fields,
    )
    logger.handle(record)


def _only_handler() -> TurnHandler | None:
    """The one that takes these lines, where it is ours and nobody else sees them. Then it gets the
    line itself: to make a record and to pass it through `logging` costs as much as all the rest.
    """
    if logger.handlers or logger.filters or not logger.propagate or logger.parent is not _root:
        return None
    if len(_root.handlers) != 1:
        return None
    handler = _root.handlers[0]
    if type(handler) is not TurnHandler or handler.filters or handler.level > logging.INFO:
        return None
    return handler
