"""Whom a request is from, and whether it came by https, as the proxies in front tell it.

They are believed when the connection is theirs (FORWARDED_ALLOW_IPS). Each proxy of a chain appends
to `X-Forwarded-For` whom it was asked by, so the list is read from its end, up to the first address
that is nobody's whom we believe. `X-Forwarded-Proto` is one word, or one for each proxy that
appends; the first is what the client spoke.
"""

from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any, Final

from keys.addresses import address, network, plain

# More proxies than anybody has. What is before that is not looked at.
MOST_HOPS: Final = 32
_SCHEMES: Final = {b"https": "https", b"wss": "https", b"http": "http", b"ws": "http"}


class Forwarded:
    """`believed` are addresses and networks; `*` alone believes everybody."""

    def __init__(self, believed: Sequence[str]) -> None:
        self._everybody = list(believed) == ["*"]
        self._networks = [] if self._everybody else [network(one) for one in believed]
        self._believes = lru_cache(maxsize=4096)(self._look)

    def _look(self, host: str) -> bool:
        if self._everybody:
            return True
        try:
            ip = address(host)
        except ValueError:
            return False
        return any(ip in believed for believed in self._networks)

    def apply(self, scope: MutableMapping[str, Any]) -> None:
        """Puts the client's address and scheme into an ASGI scope."""
        peer = scope["client"]
        if peer is None or not self._believes(peer[0]):
            return
        hops, schemes = [], []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                hops.append(value)
            elif name == b"x-forwarded-proto":
                schemes.append(value)
        if hops:
            scope["client"] = (self._client(peer[0], b",".join(hops)), 0)
        if schemes:
            first = b",".join(schemes).partition(b",")[0].strip().lower()
            scope["scheme"] = _SCHEMES.get(first, scope["scheme"])

    def _client(self, peer: str, hops: bytes) -> str:
        """Who is told of by somebody whom we believe, and is not believed in turn. A word that is
        no address ends the chain: whoever said it is the last that is known."""
        known = peer
        texts = hops.decode("latin-1").rsplit(",", MOST_HOPS)[-MOST_HOPS:]
        for text in reversed(texts):
            host = _host(text)
            if host is None:
                break
            known = host
            if not self._believes(host):
                break
        return known


def _host(text: str) -> str | None:
    """The address of an entry, which may have a port; None when there is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address(text)
    except ValueError:
        return None
    return plain(text)
