"""The way to one server: its addresses, a connection to one of them, a proxy's tunnel, TLS.

Each of them can fail, and each failure tells its own cause. Raises httpx.ConnectError, ProxyError
where the proxy is to blame, and ConnectTimeout with what it was waiting for.
"""

import asyncio
import socket
import ssl
from typing import Final

import aiohappyeyeballs
import httpx

from workers_ai.http.causes import cause_of
from workers_ai.http.host_addresses import HostAddresses
from workers_ai.http.proxy import Proxy

# How long an address may take before the next one is tried beside it (RFC 8305).
NEXT_ADDRESS_AFTER_S: Final = 0.25


class Route:
    """To the host of `url`, within `connect_s` for all of it. Belongs to one event loop."""

    def __init__(self, url: httpx.URL, *, connect_s: float, proxy: Proxy | None = None) -> None:
        self._host = url.raw_host.decode("ascii")
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._connect_s = connect_s
        self._proxy = proxy
        self._first = (proxy.host, proxy.port) if proxy is not None else (self._host, self._port)
        self._addresses = HostAddresses(*self._first)
        # Made now, not when it is needed: without a file descriptor left it would trust nobody.
        self._tls = trusting_context() if url.scheme == "https" else None

    async def connect(self, protocol: asyncio.Protocol) -> None:
        """Gives the protocol its connection."""
        at = _Stage()
        try:
            async with asyncio.timeout(self._connect_s):
                await self._connect(protocol, at)
        except TimeoutError:
            raise httpx.ConnectTimeout(at.doing) from None
        # uvloop raises RuntimeError for some of the system's errors.
        except (OSError, RuntimeError) as error:
            self._addresses.doubt()
            cause = cause_of(error, *at.peer)
            if self._proxy is not None and at.peer == self._first:
                raise httpx.ProxyError(f"{self._proxy}: {cause}") from None
            raise httpx.ConnectError(cause) from None

    def close(self) -> None:
        self._addresses.close()

    async def _connect(self, protocol: asyncio.Protocol, at: "_Stage") -> None:
        loop = asyncio.get_running_loop()
        at.set(self._first, "the look-up of")
        addresses = await self._addresses.get()
        at.set(self._first, "a connection to")
        reached = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER_S, interleave=1, loop=loop
        )
        try:
            reached.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._proxy is not None:
                at.set(self._first, "the tunnel of the proxy")
                await self._proxy.open_tunnel(reached, self._host, self._port)
            at.set((self._host, self._port), "the TLS handshake with")
            await loop.create_connection(
                lambda: protocol,
                sock=reached,
                ssl=self._tls,
                server_hostname=self._host if self._tls is not None else None,
            )
        except BaseException:
            reached.close()
            raise


class _Stage:
    """Whom a try to connect is waiting for, and for what."""

    def __init__(self) -> None:
        self.peer = ("", 0)
        self.doing = ""

    def set(self, peer: tuple[str, int], waits_for: str) -> None:
        self.peer = peer
        self.doing = f"{waits_for} {peer[0]}:{peer[1]}"


def trusting_context() -> ssl.SSLContext:
    """For a TLS client that trusts whom the system trusts, whatever Python's version."""
    # OpenSSL itself reads SSL_CERT_FILE and SSL_CERT_DIR.
    context = ssl.create_default_context()
    # From Python 3.13 on strict, which refuses what companies' own authorities usually issue.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    return context
