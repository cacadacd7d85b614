"""One line a request: who asked for what, how it ended, how long it took. No secret, no prompt, no
query.
"""

import logging

logger = logging.getLogger("gateway.access")


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
    """Writes the line; `status` 499 says that the client went away before the end."""
    if not logger.isEnabledFor(logging.INFO):
        return
    # `logger.info` would look for the caller's line on the stack of each request.
    record = logging.LogRecord(
        logger.name, logging.INFO, __file__, 0, "%s %s %d", (method, path, status), None
    )
    record.fields = {
        "method": method,
        "path": path,
        "status": status,
        "duration_ms": round(duration_ms, 1),
        "request_id": request_id,
        "client_ip": client_ip,
        "key": key_id,
        "note": note,
    }
    logger.handle(record)
