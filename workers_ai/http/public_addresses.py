"""Which addresses are the public internet's: whoever a stranger may have us connect to. Pure.

The list is our own, after IANA's special-purpose registries of IPv4 and IPv6: `is_global` of
Python's ipaddress means something else from version to version. IPv6 is taken only where unicast
addresses are given out, 2000::/3. An IPv4 address within an IPv6 one is where the connection ends,
so it is judged as well.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

_NOT_PUBLIC: Final = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4"),
            # Public by its number, but answered by the host that an Azure machine runs on. The
            # addresses of other clouds' metadata are within the networks above and not in 2000::/3.
            "168.63.129.16/32",
        ),
    )
)
_UNICAST: Final = IPv6Network("2000::/3")
# Protocol assignments, with Teredo, benchmarks and ORCHID among them; documentation, twice.
_NOT_PUBLIC_IPV6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
# IPv4-mapped, and what NAT64 translates by the well-known prefix: these are IPv4 in other words.
# The prefix for local use, 64:ff9b:1::/48, is nobody's public address.
_IPV4_IN_THE_END: Final = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")


def unwrapped(address: Address) -> Address:
    """The address that a connection reaches in the end, which may be an IPv4 address within."""
    if isinstance(address, IPv6Address):
        if any(address in network for network in _IPV4_IN_THE_END):
            return IPv4Address(int(address) & 0xFFFFFFFF)
        if address in _SIX_TO_FOUR:
            return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether anybody on the internet may be there, and nothing that belongs to this network."""
    address = unwrapped(address)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC)
    return address in _UNICAST and not any(address in network for network in _NOT_PUBLIC_IPV6)
