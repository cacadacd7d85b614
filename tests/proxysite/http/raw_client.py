"""A client that sends what it likes, byte by byte, and is patient."""

import io
import json
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any, cast
from urllib.parse import urlsplit

# Bounds for a machine that does much besides.
PATIENCE_S = 40.0


@dataclass(frozen=True)
class RawResponse:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error of a body in OpenAI's form, and of no other."""
        assert self.headers["content-type"] == "application/json", self
        assert self.headers["x-request-id"]
        body = json.loads(self.body)
        assert set(body) == {"error"}, body
        error: dict[str, Any] = body["error"]
        assert set(error) == {"message", "type", "param", "code"}, error
        return error


class RawClient:
    """One connection. `url` is a gateway's."""

    def __init__(self, url: str, *, receive_buffer: int = 0) -> None:
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE_S)
        address = urlsplit(url)
        self._socket.connect((address.hostname, address.port))
        self._incoming = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_while_taken(self, piece: bytes, most: int) -> int:
        """Sends `piece` again and again; how often, until the other side had enough."""
        for count in range(most):
            try:
                self._socket.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                return count
        return most

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        self.send(head(method, path, body, **headers) + body)

    def response(self, method: str = "GET") -> RawResponse:
        """The next answer, read by Python's own client."""
        response = HTTPResponse(cast("socket.socket", _Incoming(self._incoming)), method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return RawResponse(response.status, headers, response.read())

    def receive(self, most: int = 65536) -> bytes:
        return self._incoming.read1(most)

    def is_reset(self) -> bool:
        """Whether the other side has thrown the connection away. Nothing is read to see it."""
        return self._is(select.POLLERR)

    def is_closed(self) -> bool:
        """Whether the other side has closed the connection, in whatever way."""
        return self._is(select.POLLERR | select.POLLHUP | select.POLLRDHUP)

    def _is(self, states: int) -> bool:
        poll = select.poll()
        poll.register(self._socket, states)
        return any(event & states for _, event in poll.poll(0))

    def rest(self) -> bytes:
        """Everything to the end of the connection, which a reset is too."""
        parts = []
        while True:
            try:
                part = self._incoming.read1(65536)
            except ConnectionResetError:
                part = b""
            if not part:
                return b"".join(parts)
            parts.append(part)

    def close(self) -> None:
        self._incoming.close()
        self._socket.close()


class _Incoming(io.BufferedIOBase):
    """What Python's client takes for a socket and reads one answer from: what follows the answer
    stays for the next one."""

    def __init__(self, incoming: io.BufferedReader) -> None:
        self._incoming = incoming

    def makefile(self, mode: str) -> "_Incoming":
        return self

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        return self._incoming.read(size)

    def read1(self, size: int = -1) -> bytes:
        return self._incoming.read1(size)

    def readinto(self, buffer: Any) -> int:
        return self._incoming.readinto(buffer)

    def readline(self, size: int | None = -1) -> bytes:
        return self._incoming.readline(size)


def head(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
    if body or method == "POST":
        lines.append(f"content-length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@contextmanager
def connected(url: str, *, receive_buffer: int = 0) -> Iterator[RawClient]:
    client = RawClient(url, receive_buffer=receive_buffer)
    try:
        yield client
    finally:
        client.close()
