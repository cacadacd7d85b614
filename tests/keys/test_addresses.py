"""An address has one form, however it is written."""

import pytest

from keys.addresses import address, network, plain


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::FFFF:cb00:7109", "203.0.113.9"),
        ("0:0:0:0:0:ffff:203.0.113.9", "203.0.113.9"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", ""),
        ("no:address", "no:address"),
    ],
)
def test_an_address_is_written_in_one_form(written: str, meant: str) -> None:
    assert plain(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.1/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_is_meant_in_one_form(written: str, meant: str) -> None:
    assert str(network(written)) == meant


def test_what_is_neither_is_refused() -> None:
    for text in ("", "10.0.0.1/8", "proxy", "::ffff:10.0.0.1/104"):
        with pytest.raises(ValueError):
            network(text)
    for text in ("", "10.0.0.1/8", "unknown"):
        with pytest.raises(ValueError):
            address(text)
