"""Whom proxies are believed to speak for."""

import time
from typing import Any

import pytest

from proxysite.http.forwarded import Forwarded

PROXIES = ["10.0.0.0/8", "127.0.0.1", "2001:db8::/32"]


def told(
    *hops: str, peer: str = "127.0.0.1", believed: list[str] = PROXIES, name: str = "for"
) -> dict[str, Any]:
    headers = [(f"x-forwarded-{name}".encode(), hop.encode()) for hop in hops]
    scope: dict[str, Any] = {"client": (peer, 1), "scheme": "http", "headers": headers}
    Forwarded(believed).apply(scope)
    return scope


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9:4711"], "203.0.113.9"),
        (["[2001:db9::1]:4711"], "2001:db9::1"),
        (['"[2001:DB9::1]"'], "2001:db9::1"),
        (["10.1.2.3, 10.1.2.4"], "10.1.2.3"),
        (["203.0.113.9, ::ffff:10.1.2.3"], "203.0.113.9"),
        (["203.0.113.9, 2001:db8::7"], "203.0.113.9"),
        # Who says something that is no address is the last that is known.
        (["203.0.113.9, unknown"], "127.0.0.1"),
        (["203.0.113.9, unknown, 10.1.2.3"], "10.1.2.3"),
        (["203.0.113.9,"], "127.0.0.1"),
        ([""], "127.0.0.1"),
        ([], "127.0.0.1"),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy(hops: list[str], client: str) -> None:
    assert told(*hops)["client"][0] == client


def test_nobody_else_is_believed() -> None:
    for peer in ("203.0.113.7", "2001:db9::1"):
        assert told("198.51.100.1", peer=peer)["client"] == (peer, 1)
        assert told("https", peer=peer, name="proto")["scheme"] == "http"


def test_a_proxy_is_believed_in_whatever_form_it_is_named() -> None:
    for believed in (["127.0.0.1"], ["::ffff:127.0.0.1"], ["::ffff:127.0.0.0/104"], ["*"]):
        assert told("203.0.113.9", believed=believed)["client"][0] == "203.0.113.9"


def test_a_star_believes_the_first() -> None:
    assert told("203.0.113.9, 198.51.100.1", believed=["*"])["client"][0] == "203.0.113.9"


@pytest.mark.parametrize(
    ("words", "scheme"),
    [
        (["https"], "https"),
        (["http"], "http"),
        (["https, https"], "https"),
        (["https,http"], "https"),
        (["http, https"], "http"),
        (["https", "https"], "https"),
        (["HTTPS"], "https"),
        (["wss"], "https"),
        ([" https "], "https"),
        ([""], "http"),
        (["gopher"], "http"),
    ],
)
def test_the_scheme_is_what_the_client_spoke(words: list[str], scheme: str) -> None:
    assert told(*words, name="proto")["scheme"] == scheme


def test_a_long_chain_takes_no_time() -> None:
    """Of CPU, whatever else the machine does."""
    chain = ",".join(f"10.1.{m // 250}.{m % 250}" for m in range(5000))
    began = time.thread_time()
    for _ in range(20):
        told(chain)
    assert time.thread_time() - began < 5
