"""Pictures that a request names by http(s) URL, fetched and put into the request as data URLs.

Several models take data URLs only, and none should be made to fetch for us. A URL is what a
caller chose, so it is fetched with care: only from public addresses (looked at after the name is
resolved, at every redirect, and connected to as they were looked at), within a size and a time,
and only when the bytes are a picture.

Raises BadRequest naming the picture; its messages tell nothing of what was found inside a network.
"""

import asyncio
import base64
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from yarl import URL

from openai_api.chat_completions.request import ChatRequest
from openai_api.errors import BadRequest
from openai_api.images.normalise import sniffed

MAX_REDIRECTS = 3
MAX_PICTURES = 16
AT_ONCE = 8


# A content part of type `image_url`, and the name of its URL in the caller's own request.
NamedPart = tuple[dict[str, Any], str]


async def inline_pictures(asked: ChatRequest) -> None:
    """Replaces the URLs in `asked` by what they point to; nothing happens where there is none."""
    await inline_parts(
        [
            (part, f"messages[{m}].content[{p}].image_url.url")
            for m, message in enumerate(asked.messages)
            if isinstance(message.get("content"), list)
            for p, part in enumerate(message["content"])
            if part.get("type") == "image_url"
        ]
    )


async def inline_parts(parts: Iterable[NamedPart]) -> None:
    """Replaces the URLs in `parts` by what they point to."""
    found = [(part, param) for part, param in parts if _url_of(part)[:4].lower() == "http"]
    if not found:
        return
    if len(found) > MAX_PICTURES:
        raise BadRequest(
            f"At most {MAX_PICTURES} pictures of a request can be URLs; send others as data URLs.",
            param=found[MAX_PICTURES][1],
        )
    turn = asyncio.Semaphore(AT_ONCE)
    connector = aiohttp.TCPConnector(resolver=_PublicResolver(), force_close=True)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=settings.IMAGE_FETCH_TIMEOUT),
        trust_env=False,
    ) as session:

        async def inline(part: dict[str, Any], param: str) -> None:
            async with turn:
                picture = await _fetched(session, _url_of(part), param)
            part["image_url"] = {"url": picture}

        await asyncio.gather(*(inline(part, param) for part, param in found))


def _url_of(part: dict[str, Any]) -> str:
    image = part["image_url"]
    return str(image["url"] if isinstance(image, dict) else image)


async def _fetched(session: aiohttp.ClientSession, url: str, param: str) -> str:
    """The picture behind `url` as a data URL."""
    try:
        for _ in range(MAX_REDIRECTS + 1):
            async with session.get(_checked(url), allow_redirects=False) as response:
                if response.status in (301, 302, 303, 307, 308):
                    url = urljoin(url, response.headers.get("location", ""))
                    continue
                if response.status != 200:
                    raise _unusable(param, f"its server answered with status {response.status}")
                return _data_url(await _bounded(response, param), param)
    except (_NotPublic, aiohttp.InvalidURL, ValueError):
        raise _unusable(param, "its address is not public") from None
    except TimeoutError:
        limit_s = settings.IMAGE_FETCH_TIMEOUT
        raise _unusable(param, f"it did not come within {limit_s:g} seconds") from None
    except (aiohttp.ClientError, OSError):
        raise _unusable(param, "its server cannot be reached") from None
    raise _unusable(param, f"it is behind more than {MAX_REDIRECTS} redirects")


async def _bounded(response: aiohttp.ClientResponse, param: str) -> bytes:
    limit = settings.IMAGE_FETCH_MAX_BYTES
    if (response.content_length or 0) > limit:
        raise _unusable(param, f"it is larger than {limit} bytes")
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > limit:
            raise _unusable(param, f"it is larger than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def _data_url(content: bytes, param: str) -> str:
    media_type = sniffed(content[:16])
    if media_type is None:
        raise _unusable(param, "it is not a PNG, JPEG, WebP or GIF picture")
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _unusable(param: str, why: str) -> BadRequest:
    return BadRequest(
        f"The picture at '{param}' cannot be used: {why}.", param=param, code="invalid_image_url"
    )


class _NotPublic(Exception):
    """The address belongs to this machine or a private network."""


def _checked(url: str) -> URL:
    """The URL as the client will read it; raises _NotPublic for what it must not call.

    Names are looked at when they are resolved. What the client takes for an address it connects to
    without asking the resolver, so that is looked at here, in the client's own reading of it.
    """
    parsed = URL(url)
    host = parsed.raw_host
    if parsed.scheme not in ("http", "https") or not host:
        raise _NotPublic
    is_address = ":" in host or host.replace(".", "").isdigit()
    # Raises ValueError for short forms such as 127.1, which are nobody's honest address.
    if is_address and not _may_connect(ipaddress.ip_address(host)):
        raise _NotPublic
    return parsed


def _may_connect(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if any(address in network for network in settings.IMAGE_FETCH_ALLOWED_NETWORKS):
        return True
    inner = address
    if isinstance(address, ipaddress.IPv6Address):
        # An IPv4 address in disguise is judged as what it is.
        inner = address.ipv4_mapped or address.sixtofour or address
    return address.is_global and inner.is_global and not inner.is_multicast


class _PublicResolver(AbstractResolver):
    """Names to addresses, the public ones only. The connection goes to these and to no others."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results = []
        for kind, _, protocol, _, address in found:
            if _may_connect(ipaddress.ip_address(str(address[0]).partition("%")[0])):
                results.append(
                    ResolveResult(
                        hostname=host,
                        host=str(address[0]),
                        port=port,
                        family=kind,
                        proto=protocol,
                        flags=socket.AI_NUMERICHOST,
                    )
                )
        if not results:
            raise _NotPublic
        return results

    async def close(self) -> None:
        return None
