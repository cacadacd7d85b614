"""Where traces and metrics go, in the words of OpenTelemetry's specification."""

import contextlib
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from proxysite.setting_readers.network import scheme_of
from proxysite.setting_readers.plain import SettingError, bad_setting, matching, parsed, text


class SecretHeaders(dict[str, str]):
    """Shown without their values, which may let whoever has them write to a collector."""

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: …' for name in self)}}}"


class Collector(NamedTuple):
    """Where one signal goes, and how."""

    url: str
    headers: SecretHeaders
    timeout_s: float
    compression: str
    certificate: str


def collector_url(name: str) -> str:
    """No message quotes it, since it may hold what belongs into the headers."""
    got = text(name)
    with contextlib.suppress(ValueError):
        parts = urlsplit(got)
        is_plain = not (parts.username or parts.query or parts.fragment) and parts.port != 0
        if not got or (parts.scheme in ("http", "https") and parts.hostname and is_plain):
            return got
    raise bad_setting(
        name,
        scheme_of(got),
        "an http:// or https:// URL such as http://collector:4318, with credentials in "
        "OTEL_EXPORTER_OTLP_HEADERS",
    )


def pairs(name: str, takes: str) -> dict[str, str]:
    """`name=value,other=value`, each value as in a URL. No message quotes it."""
    found = {}
    for part in text(name).split(","):
        key, mark, value = (piece.strip() for piece in part.partition("="))
        value = unquote(value)
        if mark and re.fullmatch(r"[A-Za-z0-9._!#$%&'*+^`|~/-]+", key) and value.isprintable():
            found[key] = value
        elif part.strip():
            raise SettingError(f"{name} cannot be read: it takes {takes}.")
    return found


def otlp_headers(name: str) -> SecretHeaders:
    takes = "headers such as authorization=Bearer%20abc,x-tenant=7, each value in ASCII"
    found = pairs(name, takes)
    if not all(value.isascii() and "/" not in header for header, value in found.items()):
        raise SettingError(f"{name} cannot be read: it takes {takes}.")
    return SecretHeaders({header.lower(): value for header, value in found.items()})


def otlp_protocol(name: str) -> str:
    takes = "http/protobuf, for which collectors listen on port 4318"
    return parsed(name, "http/protobuf", matching("http/protobuf"), takes)


def otlp_compression(name: str) -> str:
    return parsed(name, "none", matching("none|gzip|deflate"), "none, gzip or deflate")


def otlp_exporter(name: str) -> str:
    return parsed(name, "otlp", matching("otlp|none"), "otlp or none")


def milliseconds(name: str, default: int) -> int:
    """From 100, so that a number of seconds is not taken for one of milliseconds."""

    def parse(got: str) -> int:
        if not 100 <= int(got) <= 3_600_000:
            raise ValueError
        return int(got)

    return parsed(name, default, parse, "milliseconds from 100 to 3600000")


def share(got: str) -> float:
    if not 0 <= float(got) <= 1:
        raise ValueError
    return float(got)
