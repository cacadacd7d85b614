"""Formats log lines: as text, or as JSON on demand. Both hide what looks like a key or a token."""

import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson
from django.conf import settings

# Keys and service tokens (sk-wai-, sk-wai-service-), and the playground's tokens.
_OURS: Final = re.compile(r"(?:sk|play)-wai-[A-Za-z0-9._~-]{8,}")
# Whatever a client sent.
_BEARER: Final = re.compile(r"bearer\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
# An id of a request may begin like one: this is searched as fast as the two letters alone.
_CLOUDFLARES: Final = re.compile(r"cf[uak]t?_\w{8,}")
# A shorter one would be found in every other word.
SHORTEST_SECRET: Final = 8
# Of what a line says; whoever is asked for a longer one has sent it.
LONGEST_MESSAGE: Final = 4000


def one_line(text: str) -> str:
    """Escapes control characters, so that a request cannot forge a second line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)


def shortened(text: str, longest: int) -> str:
    """The beginning of a text that a stranger has made long."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


_IN_MESSAGE = frozenset(("method", "path", "status"))


@lru_cache(maxsize=1)
def _second_text(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def utc_text(epoch_s: float) -> str:
    """`2026-03-01T12:00:00.123456Z`. Lines of one second share most of it."""
    second = int(epoch_s)
    return f"{_second_text(second)}.{int((epoch_s - second) * 1_000_000):06d}Z"


# What a line tells: when, in the clock's seconds; level, logger and message; fields; a traceback or
# "". A tuple, which takes no call to make: there is one for each request.
Entry = tuple[float, str, str, str, Mapping[str, Any], str]


class HidingFormatter(logging.Formatter):
    """Removes proxy keys, bearer tokens and the settings' secrets from any line."""

    def __init__(self) -> None:
        super().__init__()
        secrets = (
            *settings.CLOUDFLARE_API_TOKENS,
            settings.PROXY_API_KEY,
            settings.OIDC_CLIENT_SECRET,
            settings.SECRET_KEY,
        )
        self._secrets = tuple(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)

    def format(self, record: logging.LogRecord) -> str:
        entry = (
            record.created,
            record.levelname,
            record.name,
            shortened(record.getMessage(), LONGEST_MESSAGE),
            getattr(record, "fields", {}),
            self.formatException(record.exc_info) if record.exc_info else "",
        )
        return self.line(entry)

    def line(self, entry: Entry) -> str:
        line = self.unhidden(entry)
        # To look for what they begin with costs a tenth of these expressions.
        if "-wai-" in line:
            line = _OURS.sub("[hidden]", line)
        if "bearer" in line.lower():
            line = _BEARER.sub("[hidden]", line)
        if "cf" in line:
            line = _CLOUDFLARES.sub("[hidden]", line)
        for secret in self._secrets:
            line = line.replace(secret, "[hidden]")
        return line

    def unhidden(self, entry: Entry) -> str:
        """The line with all that is hidden still in it."""
        raise NotImplementedError


class TextFormatter(HidingFormatter):
    def unhidden(self, entry: Entry) -> str:
        created, level, logger, message, fields, exception = entry
        line = f"{utc_text(created)} {level} {logger}: {message}"
        for name, value in fields.items():
            if value is not None and value != "" and name not in _IN_MESSAGE:
                line += f" {name}={value}"
        line = one_line(line).rstrip()
        return f"{line}\n{exception}" if exception else line


class JsonFormatter(HidingFormatter):
    def unhidden(self, entry: Entry) -> str:
        created, level, logger, message, fields, exception = entry
        written: dict[str, Any] = {
            "time": datetime.fromtimestamp(created, UTC).isoformat(),
            "level": level,
            "logger": logger,
            "message": message,
            **fields,
        }
        if exception:
            written["exception"] = exception
        return orjson.dumps(written, default=str).decode()
