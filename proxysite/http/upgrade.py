"""Offers to speak another protocol (RFC 9110 section 7.8), heads without them, and protocols that
are spoken without an offer. Pure."""

from collections.abc import Sequence
from typing import Final

from openai_api.errors import UnreadableRequest

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


# How a proxy or client begins that is set to speak something else, and what is to be done. The
# codes stand in the log: such a client cannot read the answer.
_SPOKEN: Final = (
    (b"\x16\x03", "speaks_tls", "it is TLS, and this port takes http:// only"),
    (b"PRI * HTTP/2", "speaks_http2", "it is HTTP/2 without TLS; let it speak HTTP/1.1"),
    *(
        (start, "speaks_proxy_protocol", "it is the PROXY protocol; turn that off where it is from")
        for start in (b"PROXY ", b"\r\n\r\n\x00\r\nQUIT\n")
    ),
)


def unreadable(data: bytes, why: str) -> UnreadableRequest:
    for start, code, what in _SPOKEN:
        if data.startswith(start):
            return UnreadableRequest(what, code)
    return UnreadableRequest(why)
