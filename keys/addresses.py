"""Addresses and networks, each in one form: IPv4 is never written as a part of IPv6.

A socket that listens on `::` sees IPv4 clients as `::ffff:203.0.113.9`, and people write networks
either way. Pure.
"""

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


def address(text: str) -> Address:
    """Raises ValueError. The zone of a link-local address is this machine's own affair."""
    ip = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def network(text: str) -> Network:
    """Raises ValueError, also for bits set after the prefix."""
    found = ipaddress.ip_network(text)
    if isinstance(found, ipaddress.IPv6Network) and found.subnet_of(_MAPPED):
        inner = int(found.network_address) & 0xFFFFFFFF
        return ipaddress.IPv4Network((inner, found.prefixlen - 96))
    return found


def plain(text: str) -> str:
    """An address as the gateway writes it; what is none stays as it is."""
    if ":" not in text:
        return text
    try:
        return str(address(text))
    except ValueError:
        return text
