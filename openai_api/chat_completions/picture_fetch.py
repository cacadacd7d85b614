"""Fetches the pictures and documents that requests name by http(s) URL.

The caller chose the URL, so it is fetched with care: only from public addresses (checked after the
name is resolved, at every redirect; the connection goes to the checked address), within limits of
size and time; as a picture only when the bytes are one. Nobody can take the look-ups, fetches or
the memory of others: each is bounded for the process, and shared between its callers.

Raises BadRequest naming the part; its messages say nothing about what is inside a network.
"""

import asyncio
import base64
import ssl
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache
from typing import Final

import httpx
from django.conf import settings

from openai_api.chat_completions.picture_memory import PictureMemory, RequestPictures
from openai_api.errors import BadRequest, PicturesBusy
from openai_api.wire.picture_type import sniffed
from workers_ai.http.fair_semaphore import FairSemaphore
from workers_ai.http.public_only import NotPublic, asked
from workers_ai.http.resolver import Resolver
from workers_ai.http.route import trusting_context

MAX_REDIRECTS: Final = 3
# Of one process, of which a caller alone gets half: names looked up, and pictures fetched.
LOOK_UPS_AT_ONCE: Final = 16
FETCHES_AT_ONCE: Final = 32
# Requests of the largest sum that fit into the memory for pictures.
LARGEST_REQUESTS_AT_ONCE: Final = 3


class PictureFetcher:
    """What all fetches of one event loop share."""

    def __init__(self) -> None:
        self.resolver = Resolver(threads=LOOK_UPS_AT_ONCE)
        self.turns = FairSemaphore(FETCHES_AT_ONCE)
        # What a request could as well have sent itself.
        self._most_bytes = max(settings.MAX_BODY_BYTES, settings.IMAGE_FETCH_MAX_BYTES)
        self._memory = PictureMemory(LARGEST_REQUESTS_AT_ONCE * self._most_bytes)

    def room(self, caller: str) -> RequestPictures:
        """For the pictures of one request; to be released."""
        return RequestPictures(self._memory, caller, most_bytes=self._most_bytes)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=_authorities(),
            trust_env=False,
            timeout=None,
            # A compressed body could grow far beyond the bytes that are counted.
            headers={"accept-encoding": "identity"},
            limits=httpx.Limits(max_keepalive_connections=0),
        )


_fetcher: PictureFetcher | None = None
_loop: asyncio.AbstractEventLoop | None = None


def fetcher() -> PictureFetcher:
    """The fetcher of the running loop."""
    global _fetcher, _loop
    loop = asyncio.get_running_loop()
    if _fetcher is None or _loop is not loop:
        _fetcher, _loop = PictureFetcher(), loop
    return _fetcher


@cache
def _authorities() -> ssl.SSLContext:
    """The system's certificate authorities, which take a while to read."""
    return trusting_context()


@dataclass(frozen=True, slots=True)
class Fetch:
    """What is fetched for one request."""

    shared: PictureFetcher
    client: httpx.AsyncClient
    room: RequestPictures
    caller: str

    async def picture(self, url: str, param: str) -> str:
        """The picture behind `url` as a data URL."""
        return _data_url(await self._in_turn(url, param, "picture"), param)

    async def document(self, url: str, param: str) -> bytes:
        """The file behind `url`, of whatever kind."""
        return await self._in_turn(url, param, "document")

    async def _in_turn(self, url: str, param: str, what: str) -> bytes:
        try:
            async with asyncio.timeout(settings.IMAGE_FETCH_TIMEOUT):
                await self.shared.turns.acquire(self.caller)
        except TimeoutError:
            raise PicturesBusy from None
        try:
            return await self._fetched(url, param, what)
        finally:
            self.shared.turns.release(self.caller)

    async def _fetched(self, url: str, param: str, what: str) -> bytes:
        try:
            async with asyncio.timeout(settings.IMAGE_FETCH_TIMEOUT):
                at = httpx.URL(url)
                for _ in range(MAX_REDIRECTS + 1):
                    async with self._asked(at) as response:
                        if response.status_code in (301, 302, 303, 307, 308):
                            at = at.join(response.headers.get("location", ""))
                            continue
                        if response.status_code != 200:
                            status = response.status_code
                            raise _unusable(
                                what, param, f"its server answered with status {status}"
                            )
                        return await self._bounded(response, param, what)
        except (NotPublic, httpx.InvalidURL, ValueError):
            raise _unusable(what, param, "its address is not public") from None
        except TimeoutError:
            limit_s = settings.IMAGE_FETCH_TIMEOUT
            raise _unusable(what, param, f"it did not come within {limit_s:g} seconds") from None
        except (httpx.HTTPError, OSError):
            raise _unusable(what, param, "its server cannot be reached") from None
        raise _unusable(what, param, f"it is behind more than {MAX_REDIRECTS} redirects")

    async def _bounded(self, response: httpx.Response, param: str, what: str) -> bytes:
        limit = settings.IMAGE_FETCH_MAX_BYTES
        announced = response.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise _unusable(what, param, f"it is larger than {limit} bytes")
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_raw():
            size += len(part)
            if size > limit:
                raise _unusable(what, param, f"it is larger than {limit} bytes")
            if not self.room.take(len(part)):
                most = self.room.most_bytes
                raise _unusable(what, param, f"with it what is fetched is larger than {most} bytes")
            parts.append(part)
        return b"".join(parts)

    def _asked(self, url: httpx.URL) -> AbstractAsyncContextManager[httpx.Response]:
        return asked(
            self.client,
            "GET",
            url,
            resolver=self.shared.resolver,
            allowed=settings.IMAGE_FETCH_ALLOWED_NETWORKS,
            caller=self.caller,
        )


def _data_url(content: bytes, param: str) -> str:
    media_type = sniffed(content[:16])
    if media_type is None:
        raise _unusable("picture", param, "it is not a PNG, JPEG, WebP or GIF picture")
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _unusable(what: str, param: str, why: str) -> BadRequest:
    code = "invalid_image_url" if what == "picture" else "invalid_document"
    return BadRequest(f"The {what} at '{param}' cannot be used: {why}.", param=param, code=code)
