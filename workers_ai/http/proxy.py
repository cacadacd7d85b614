"""An HTTP proxy on the way to Cloudflare: which one, and the tunnel through it (RFC 9110, 9.3.6).

Its user and password are in no error, repr or log.
"""

import asyncio
import base64
import ipaddress
import re
import socket
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx

MOST_ANSWER_BYTES: Final = 16 * 1024
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?\r?\n")
_NAME_AND_PORT = re.compile(r"(\[[^\]]+\]|[^:]+):(\d+)")
_OFFERED = re.compile(rb"^proxy-authenticate:[ \t]*([A-Za-z]+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Proxy:
    host: str
    port: int
    authorization: bytes = field(default=b"", repr=False)

    @classmethod
    def from_url(cls, url: str) -> "Proxy":
        """Of `http://[user[:password]@]host[:port]`."""
        parts = urlsplit(url)
        authorization = b""
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = b"Basic " + base64.b64encode(user.encode())
        return cls(parts.hostname or "", parts.port or 80, authorization)

    def __str__(self) -> str:
        return f"the proxy {_authority(self.host, self.port)}"

    async def open_tunnel(self, connected: socket.socket, host: str, port: int) -> None:
        """Makes of a connection to the proxy one to `host`; raises httpx.ProxyError, OSError."""
        loop = asyncio.get_running_loop()
        target = _authority(host, port)
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        head = "\r\n".join(lines).encode()
        if self.authorization:
            head += b"\r\nProxy-Authorization: " + self.authorization
        await loop.sock_sendall(connected, head + b"\r\n\r\n")
        answer = b""
        while (end := _HEAD_END.search(answer)) is None:
            if len(answer) > MOST_ANSWER_BYTES:
                raise httpx.ProxyError(f"{self} answers without end")
            part = await loop.sock_recv(connected, 4096)
            if not part:
                raise httpx.ProxyError(f"{self} closed the connection without an answer")
            answer += part
        status = _STATUS.match(answer)
        if status is None or answer[end.end() :]:
            raise httpx.ProxyError(f"{self} does not answer as an HTTP proxy does")
        if not status[1].startswith(b"2"):
            raise httpx.ProxyError(self._refusal(status, answer, target))

    def _refusal(self, status: "re.Match[bytes]", answer: bytes, target: str) -> str:
        code = int(status[1])
        reason = re.sub(r"[^\x20-\x7e]", "", (status[2] or b"").decode("latin-1"))
        said = f"{code} {reason}".strip()[:80]
        if code == 407:
            offered = sorted({name.decode().lower() for name in _OFFERED.findall(answer)})
            if offered and "basic" not in offered:
                return f"{self} wants {' or '.join(offered)} to sign in, this gateway knows basic"
            if self.authorization:
                return f"{self} refuses the user and password that its URL has ({said})"
            return f"{self} wants a user and a password in its URL ({said}), see UPSTREAM_PROXY"
        if code in (502, 503, 504):
            return f"{self} cannot reach {target} ({said})"
        return f"{self} does not let this gateway reach {target} ({said})"


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def proxy_for(url: str, *, named: str, https_proxy: str, no_proxy: str) -> Proxy | None:
    """The proxy for `url`: the one that is `named`, or else, for https, what the environment says
    in its two variables.
    """
    if named:
        return Proxy.from_url(named)
    address = urlsplit(url)
    if not https_proxy or address.scheme != "https":
        return None
    if is_excepted(address.hostname or "", address.port or 443, no_proxy):
        return None
    return Proxy.from_url(https_proxy)


def is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """NO_PROXY as curl reads it: `*`, names with all that is below them, addresses, networks; each
    may name a port.
    """
    for part in no_proxy.lower().replace(",", " ").split():
        found = _NAME_AND_PORT.fullmatch(part)
        name, named_port = (found[1], found[2]) if found else (part, None)
        if named_port is not None and int(named_port) != port:
            continue
        if name == "*" or _is_below(host, name.strip("[]")):
            return True
    return False


def _is_below(host: str, name: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        above = name.removeprefix("*").removeprefix(".")
        return above != "" and f".{host}".endswith(f".{above}")
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:  # a name, and those of addresses are not known
        return False
