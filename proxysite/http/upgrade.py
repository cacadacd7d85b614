"""Offers to speak another protocol (RFC 9110 section 7.8), and heads without them. Pure."""

from collections.abc import Sequence
from typing import Final

Headers = Sequence[tuple[bytes, bytes]]

_OFFERS: Final = (b"upgrade", b"http2-settings")


def asks_for_websocket(headers: Headers) -> bool:
    return any(name == b"upgrade" and b"websocket" in value.lower() for name, value in headers)


def head_without_offer(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """The request's head without the offer, and without what `Connection` says of it. Names are in
    lower case.
    """
    lines = [b"%b %b HTTP/%b" % (method, url, version.encode())]
    for name, value in headers:
        if name == b"connection":
            tokens = [token.strip() for token in value.split(b",")]
            value = b", ".join(token for token in tokens if token.lower() not in _OFFERS)
        if value and name not in _OFFERS:
            lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join(lines) + b"\r\n\r\n"
