"""How log lines look: text for people, JSON on demand. Both hide what looks like a key or a
token.
"""

import logging
import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings

_SECRETS = re.compile(
    r"sk-wai-[A-Za-z0-9]{8,}|(?i:bearer)\s+[A-Za-z0-9._~+/=-]{8,}|cf[uak]t?_\w{8,}"
)


def hidden(line: str) -> str:
    """`line` without proxy keys, bearer tokens and the two secrets of the settings."""
    # Three looks for what each secret holds cost a tenth of the expression.
    if "sk-wai-" in line or "cf" in line or "bearer" in line.lower():
        line = _SECRETS.sub("[hidden]", line)
    for secret in (settings.CLOUDFLARE_API_TOKEN, settings.PROXY_API_KEY):
        if secret:
            line = line.replace(secret, "[hidden]")
    return line


def one_line(text: str) -> str:
    """Control characters escaped, so that a request cannot forge a second line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)


_IN_MESSAGE = ("method", "path", "status")


@lru_cache(maxsize=1)
def _second_text(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def utc_text(epoch_s: float) -> str:
    """`2026-03-01T12:00:00.123456Z`. Lines of one second share most of it."""
    second = int(epoch_s)
    return f"{_second_text(second)}.{int((epoch_s - second) * 1_000_000):06d}Z"


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "fields", {})
        words = [
            f"{name}={one_line(str(value))}"
            for name, value in fields.items()
            if name not in _IN_MESSAGE and value is not None and value != ""
        ]
        message = one_line(record.getMessage())
        head = f"{utc_text(record.created)} {record.levelname} {record.name}:"
        line = " ".join((head, message, *words)).rstrip()
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return hidden(line)


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return hidden(orjson.dumps(entry, default=str).decode())
