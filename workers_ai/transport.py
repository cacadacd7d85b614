"""httpx's transport interface over aiohttp's connection pool.

httpx's own pool is scanned whole at every request and gets slower with every open connection;
aiohttp's does not. The client calls the transport directly, with requests that need no cookies,
redirects or authentication flow, which is what makes httpx.AsyncClient expensive.

Failures come out as httpx's exceptions, told apart by whether the request may have been sent:
ConnectError and ConnectTimeout when it certainly was not, PoolTimeout when no connection was free,
RemoteProtocolError and ReadError when the connection broke afterwards.
"""

from collections.abc import AsyncIterator
from functools import lru_cache

import aiohttp
import httpx
from yarl import URL


class PooledTransport(httpx.AsyncBaseTransport):
    """Connections of one event loop. `connect_s` and `pool_s` bound the waits before sending."""

    def __init__(self, *, max_connections: int, connect_s: float, pool_s: float) -> None:
        self._max_connections = max_connections
        # No limit on reads: the client watches first byte and silence by what they mean.
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=connect_s + pool_s, sock_connect=connect_s, sock_read=None
        )
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made on first use because it belongs to the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._max_connections, keepalive_timeout=60),
                # Cloudflare sets cookies; one user's must not travel with another's request.
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=self._timeout,
                # Or aiohttp would add an Accept-Encoding and a type of its own.
                skip_auto_headers=("accept-encoding", "content-type", "user-agent"),
            )
        return self._session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._opened().request(
                request.method,
                _parsed(str(request.url)),
                headers=[
                    (name.decode("ascii"), value.decode("latin-1"))
                    for name, value in request.headers.raw
                ],
                data=await request.aread() or None,
                allow_redirects=False,
            )
        except aiohttp.ConnectionTimeoutError as error:
            waited = "pool" in str(error).lower()
            raise (httpx.PoolTimeout if waited else httpx.ConnectTimeout)(str(error)) from None
        except aiohttp.ClientConnectorError as error:
            raise httpx.ConnectError(str(error)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise httpx.RemoteProtocolError(str(error)) from None
        answer = httpx.Response(
            response.status, headers=response.raw_headers, stream=Body(response), request=request
        )
        # Or the first look at a header decodes all of them, to find out how.
        answer.headers.encoding = "latin-1"
        return answer

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


@lru_cache(maxsize=1024)
def _parsed(url: str) -> URL:
    """The same few URLs are called again and again."""
    return URL(url, encoded=True)


class Body(httpx.AsyncByteStream):
    """The body as it comes from the network, whatever sizes that has."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def read(self) -> bytes:
        """What one network read brings; empty at the end. Raises httpx.ReadError."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise httpx.ReadError(str(error)) from None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk

    async def aclose(self) -> None:
        self._response.close()
