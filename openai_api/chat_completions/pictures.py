"""Pictures that a request names by http(s) URL, fetched and put into the request as data URLs.

Several models take data URLs only, and no model should fetch anything for us. The caller chose the
URL, so it is fetched with care: only from public addresses (checked after the name is resolved, at
every redirect; the connection goes to the checked address), within limits of size and time, and
only when the bytes are a picture.

Raises BadRequest naming the picture; its messages say nothing about what is inside a network.
"""

import asyncio
import base64
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
from django.conf import settings

from openai_api.chat_completions.request import ChatRequest
from openai_api.errors import BadRequest
from openai_api.wire.picture_type import sniffed

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
    async with httpx.AsyncClient(
        verify=_authorities(),
        trust_env=False,
        timeout=None,
        # A compressed body could grow far beyond the bytes that are counted.
        headers={"accept-encoding": "identity"},
        limits=httpx.Limits(max_keepalive_connections=0),
    ) as client:

        async def inline(part: dict[str, Any], param: str) -> None:
            async with turn:
                picture = await _fetched(client, _url_of(part), param)
            part["image_url"] = {"url": picture}

        await asyncio.gather(*(inline(part, param) for part, param in found))


@cache
def _authorities() -> ssl.SSLContext:
    """The system's certificate authorities, which take a while to read."""
    return ssl.create_default_context()


def _url_of(part: dict[str, Any]) -> str:
    image = part["image_url"]
    return str(image["url"] if isinstance(image, dict) else image)


async def _fetched(client: httpx.AsyncClient, url: str, param: str) -> str:
    """The picture behind `url` as a data URL."""
    try:
        async with asyncio.timeout(settings.IMAGE_FETCH_TIMEOUT):
            at = httpx.URL(url)
            for _ in range(MAX_REDIRECTS + 1):
                async with _asked(client, at) as response:
                    if response.status_code in (301, 302, 303, 307, 308):
                        at = at.join(response.headers.get("location", ""))
                        continue
                    if response.status_code != 200:
                        status = response.status_code
                        raise _unusable(param, f"its server answered with status {status}")
                    return _data_url(await _bounded(response, param), param)
    except (_NotPublic, httpx.InvalidURL, ValueError):
        raise _unusable(param, "its address is not public") from None
    except TimeoutError:
        limit_s = settings.IMAGE_FETCH_TIMEOUT
        raise _unusable(param, f"it did not come within {limit_s:g} seconds") from None
    except (httpx.HTTPError, OSError):
        raise _unusable(param, "its server cannot be reached") from None
    raise _unusable(param, f"it is behind more than {MAX_REDIRECTS} redirects")


async def _bounded(response: httpx.Response, param: str) -> bytes:
    limit = settings.IMAGE_FETCH_MAX_BYTES
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _unusable(param, f"it is larger than {limit} bytes")
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_raw():
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


@asynccontextmanager
async def _asked(client: httpx.AsyncClient, url: httpx.URL) -> AsyncIterator[httpx.Response]:
    """The response of the first address of `url`'s host that can be reached.

    The request goes to an address that was checked, not to a name that may resolve to another one
    by then; the Host header and the certificate's name are still those of the URL.
    """
    if url.scheme not in ("http", "https") or not url.host:
        raise _NotPublic
    unreached: httpx.ConnectError | None = None
    for address in await _public_addresses(url):
        request = client.build_request(
            "GET",
            url.copy_with(host=address),
            headers={"host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        try:
            response = await client.send(request, stream=True)
        except httpx.ConnectError as error:
            unreached = error
            continue
        try:
            yield response
        finally:
            await response.aclose()
        return
    assert unreached is not None
    raise unreached


async def _public_addresses(url: httpx.URL) -> list[str]:
    """The public addresses of the host; raises _NotPublic where it has none."""
    host = url.raw_host.decode("ascii")
    found = await asyncio.get_running_loop().getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
    public = [one for one in addresses if _may_connect(ipaddress.ip_address(one))]
    if not public:
        raise _NotPublic
    return public


def _may_connect(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if any(address in network for network in settings.IMAGE_FETCH_ALLOWED_NETWORKS):
        return True
    inner = address
    if isinstance(address, ipaddress.IPv6Address):
        # An IPv4 address written as an IPv6 address is checked as IPv4.
        inner = address.ipv4_mapped or address.sixtofour or address
    return address.is_global and inner.is_global and not inner.is_multicast
