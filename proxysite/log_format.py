"""How log lines look: text for people, JSON on demand. Both hide what looks like a key or a
token.
"""

import logging
import re
from datetime import UTC, datetime
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


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "fields", {})
        when = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        words = " ".join(
            f"{name}={one_line(str(value))}"
            for name, value in fields.items()
            if value not in (None, "") and name not in ("method", "path", "status")
        )
        message = one_line(record.getMessage())
        line = f"{when} {record.levelname} {record.name}: {message} {words}".rstrip()
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
