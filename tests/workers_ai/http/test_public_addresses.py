"""Which addresses count as the public internet's, whatever Python's version says."""

from ipaddress import ip_address

import pytest

from workers_ai.http.public_addresses import is_public


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "168.63.129.17",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
        "2002:101:101::1",
    ],
)
def test_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        # IPv4, in the order of IANA's registry.
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1"),
        *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.9"),
        *("192.0.0.170", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1"),
        *("198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250"),
        *("240.0.0.1", "255.255.255.255"),
        # Clouds' metadata and hosts.
        *("168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "169.254.170.2"),
        # IPv6.
        *("::", "::1", "100::1", "100:0:0:1::1", "fc00::1", "fd00::1", "fe80::1", "fec0::1"),
        *("ff02::1", "ff0e::1", "2001::1", "2001:2::1", "2001:10::1", "2001:db8::1", "3fff::1"),
        *("5f00::1", "4000::1", "e000::1"),
        # IPv4 within IPv6.
        *("::ffff:10.0.0.1", "::ffff:168.63.129.16", "::10.0.0.1", "::1.1.1.1"),
        *("::ffff:0:10.0.0.1", "::ffff:0:1.1.1.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe"),
        *("64:ff9b::7f00:1", "64:ff9b:1::a00:1", "64:ff9b:1::1.1.1.1", "64:ff9b:1:a00:0:100::"),
        *("2002:a00:1::1", "2002:a9fe:a9fe::1", "2002:7f00:1::", "2001:0:a00:1::1"),
        # Teredo of a private client behind a public server.
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
