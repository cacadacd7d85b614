"""URLs, networks, and files of certificates."""

import contextlib
import ipaddress
import os
import re
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from proxysite.setting_readers.plain import bad_setting, parsed


def networks(name: str) -> "list[ipaddress.IPv4Network | ipaddress.IPv6Network]":
    nothing: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    return parsed(
        name,
        nothing,
        lambda got: [ipaddress.ip_network(part.strip()) for part in got.split(",") if part.strip()],
        "networks such as 10.0.0.0/8, separated by commas",
    )


def url(name: str, default: str) -> str:
    def parse(got: str) -> str:
        parts = urlsplit(got)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError
        if "@" in parts.netloc:  # nothing would send them, and pages and logs would show them
            raise ValueError
        if parts.port == 0:  # of one that is no port at all urlsplit says so itself
            raise ValueError
        return got.rstrip("/")

    return parsed(
        name, default, parse, "an http:// or https:// URL without a query and without credentials"
    )


LONGEST_ISSUER = 200


def issuer(got: str) -> str:
    """For `parsed`: the issuer's URL. Must be https unless it is on this machine, since whoever can
    change its answers can sign in as anybody. Its length is bounded by a column of identities."""
    parts = urlsplit(got)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(got)):
        raise ValueError
    if not parts.hostname or parts.query or parts.fragment or len(got) > LONGEST_ISSUER:
        raise ValueError
    if "@" in parts.netloc:
        raise ValueError
    return got.rstrip("/")


def is_loopback(got: str) -> bool:
    host = urlsplit(got).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def scheme_of(got: str) -> str:
    """What a message may quote of a URL that may hold a password."""
    scheme, mark, _ = got.partition("://")
    return f"{scheme}://…" if mark else "…"


def proxy_url(name: str, got: str) -> str:
    """`http://[user[:password]@]host[:port]`; the scheme may be left out. No message quotes it."""
    if not got:
        return ""
    full = got if "://" in got else f"http://{got}"
    with contextlib.suppress(ValueError):
        parts = urlsplit(full)
        is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
        if parts.scheme == "http" and parts.hostname and parts.port != 0 and is_bare:
            return full.rstrip("/")
    raise bad_setting(
        name, scheme_of(got), "the URL of an HTTP proxy: http://user:password@host:port"
    )


def redis_url(got: str) -> str:
    """As redis-py reads it. No message quotes it, as it may hold a password."""
    if not got or (got.startswith("unix:///") and not re.search(r"\s", got)):
        return got
    with contextlib.suppress(ValueError):
        parts = urlsplit(got)
        is_whole = parts.hostname and parts.port != 0 and not parts.fragment
        database = re.fullmatch(r"(/[0-9]*)?", parts.path)
        if parts.scheme in ("redis", "rediss") and is_whole and database:
            return got
    raise bad_setting(
        "REDIS_URL",
        scheme_of(got),
        "the URL of one server, redis://user:password@host:6379/0 or rediss://, in whose password "
        "# is %23, / is %2F, ? is %3F and @ is %40",
    )


def listen_address(got: str) -> str:
    """For `parsed`: an address, with or without the brackets that URLs have, or a name."""
    bare = got[1:-1] if got.startswith("[") and got.endswith("]") else got
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(bare)
        return bare
    if re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", got) is None:
        raise ValueError
    return got


def origin(got: str) -> str:
    """For `listed`: a browser's page, or * for all; there are no patterns of names."""
    if got != "*" and re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s*]+", got) is None:
        raise ValueError
    return got


def certificates(got: str) -> str:
    try:
        ssl.create_default_context(cafile=got)
    except OSError:  # also what OpenSSL raises
        raise ValueError from None
    return got


def folders(got: str) -> str:
    if not all(Path(part).is_dir() for part in got.split(os.pathsep)):
        raise ValueError
    return got
