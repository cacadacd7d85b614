"""One POST to one webhook, with an end in time and size. The URL is a secret: no word holds it.

Redirects are not followed, and private addresses only reached within ALERT_WEBHOOK_NETWORKS.
"""

import asyncio
import ssl
from contextlib import AbstractAsyncContextManager, suppress
from functools import cache
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from alerts.channels.outcome import Outcome
from alerts.messages import Message, plain, webhook_body
from workers_ai.http.proxy import is_excepted
from workers_ai.http.public_only import NotPublic, asked, may_connect
from workers_ai.http.resolver import Resolver

TOTAL_S: Final = 10.0
LONGEST_ANSWER: Final = 4096
LONGEST_QUOTE: Final = 100
LONGEST_WAIT_S: Final = 3600.0


async def send(url: str, message: Message) -> Outcome:
    """Raises nothing."""
    try:
        proxy = _proxy_for(httpx.URL(url))
        async with asyncio.timeout(TOTAL_S), _client(proxy) as client:
            return await _sent(client, url, message, is_proxied=proxy is not None)
    except TimeoutError:
        return Outcome(False, f"no answer within {TOTAL_S:g} s")
    except NotPublic:
        return Outcome(False, "its address is private, and ALERT_WEBHOOK_NETWORKS does not have it")
    except (httpx.ConnectError, httpx.ProxyError) as error:
        # The system's, OpenSSL's or the proxy's words, which know the host at most.
        return Outcome(False, f"it cannot be reached: {plain(str(error))[:LONGEST_QUOTE]}")
    except httpx.HTTPError as error:
        return Outcome(False, f"the connection broke ({type(error).__name__})")
    except OSError:
        return Outcome(False, "its name cannot be looked up")
    except Exception as error:
        return Outcome(False, f"it cannot be sent to ({type(error).__name__})")


def _proxy_for(url: httpx.URL) -> str | None:
    """The one on the way to Cloudflare, for https and but for NO_PROXY. It looks names up itself,
    so what they lead to is for it to allow; an address is judged here."""
    proxy: str = settings.UPSTREAM_PROXY or settings.HTTPS_PROXY
    port = url.port or 443
    if not proxy or url.scheme != "https" or is_excepted(url.host, port, settings.NO_PROXY):
        return None
    with suppress(ValueError):
        if not may_connect(ip_address(url.host), settings.ALERT_WEBHOOK_NETWORKS):
            raise NotPublic
    return proxy


def _client(proxy: str | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        proxy=proxy,
        verify=_authorities(),
        trust_env=False,
        timeout=None,  # the whole has one end
        headers={"accept-encoding": "identity", "user-agent": "workers-ai-gateway"},
        limits=httpx.Limits(max_keepalive_connections=0),
    )


@cache
def _authorities() -> ssl.SSLContext:
    return ssl.create_default_context()


def _asked(
    client: httpx.AsyncClient, url: str, message: Message, is_proxied: bool
) -> AbstractAsyncContextManager[httpx.Response]:
    headers, body = {"idempotency-key": str(message.id)}, webhook_body(message)
    if is_proxied:
        return client.stream("POST", url, headers=headers, json=body)
    return asked(
        client,
        "POST",
        httpx.URL(url),
        resolver=Resolver(threads=1),
        allowed=settings.ALERT_WEBHOOK_NETWORKS,
        headers=headers,
        json=body,
    )


async def _sent(client: httpx.AsyncClient, url: str, message: Message, is_proxied: bool) -> Outcome:
    async with _asked(client, url, message, is_proxied) as response:
        status = response.status_code
        said = await _beginning(response)
        if response.is_success:
            return Outcome(True, f"HTTP {status}")
        if 300 <= status < 400:
            return Outcome(False, f"HTTP {status}: redirects are not followed")
        quoted = _without_secret(said, url)
        words = f"HTTP {status}: {quoted}" if quoted else f"HTTP {status}"
        return Outcome(False, words, _retry_after_s(response.headers.get("retry-after", "")))


async def _beginning(response: httpx.Response) -> str:
    """At most LONGEST_ANSWER bytes; the rest is left to the connection's end."""
    read = bytearray()
    async for part in response.aiter_raw():
        read += part
        if len(read) >= LONGEST_ANSWER:
            break
    return bytes(read[:LONGEST_ANSWER]).decode("utf-8", "replace")


def _without_secret(said: str, url: str) -> str:
    """A short text, as Slack's "no_service", helps whoever mends it; nothing is quoted that could
    repeat the URL."""
    text = " ".join(said.split())
    parts = urlsplit(url)
    pieces = [*parts.path.split("/"), *parts.query.split("&"), parts.password or ""]
    is_quotable = text.isprintable() and len(text) <= LONGEST_QUOTE
    if not is_quotable or any(len(piece) > 3 and piece in text for piece in pieces):
        return ""
    return text


def _retry_after_s(header: str) -> float | None:
    try:
        return min(LONGEST_WAIT_S, max(0.0, float(header)))
    except ValueError:
        return None
