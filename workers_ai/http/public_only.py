"""A request to a URL that somebody else chose: sent only where it reaches nothing of this network.

It goes to an address that was checked, not to a name that may resolve to another one by then; the
Host header and the certificate's name are still those of the URL.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import httpx

from workers_ai.http.public_addresses import Address, is_public, unwrapped
from workers_ai.http.resolver import Resolver

Networks = Sequence[IPv4Network | IPv6Network]


class NotPublic(Exception):
    """The address belongs to this machine or a private network."""


@asynccontextmanager
async def asked(
    client: httpx.AsyncClient,
    method: str,
    url: httpx.URL,
    *,
    resolver: Resolver,
    allowed: Networks = (),
    caller: str = "",
    headers: dict[str, str] | None = None,
    **content: Any,
) -> AsyncIterator[httpx.Response]:
    """The response, not read yet, of the first address of `url`'s host that can be reached. Private
    networks in `allowed` may be reached all the same. Put a time limit around it.

    Raises NotPublic; OSError where the name is not found; and what httpx raises.
    """
    if url.scheme not in ("http", "https") or not url.host:
        raise NotPublic
    unreached: httpx.ConnectError | None = None
    for address in await _addresses(url, resolver, allowed, caller):
        request = client.build_request(
            method,
            url.copy_with(host=address),
            headers={**(headers or {}), "host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
            **content,
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


async def _addresses(
    url: httpx.URL, resolver: Resolver, allowed: Networks, caller: str
) -> list[str]:
    """Those of the host that may be reached, at least one."""
    found = await resolver.addresses(url.raw_host.decode("ascii"), 0, caller=caller)
    addresses = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
    reachable = [one for one in addresses if may_connect(ip_address(one), allowed)]
    if not reachable:
        raise NotPublic
    return reachable


def may_connect(address: Address, allowed: Networks) -> bool:
    """Whether it is the public internet's, or within `allowed`."""
    reached = (address, unwrapped(address))
    if any(one in network for network in allowed for one in reached):
        return True
    return is_public(address)
