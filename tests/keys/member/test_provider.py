"""What the provider is asked ends in time, stays small, and goes over TLS."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from keys.member import provider
from keys.member.provider import Provider, ProviderSession, is_protected
from tests.keys.member.openid_provider import OpenIdProvider, openid_provider


@pytest.fixture(scope="module")
def running() -> Iterator[OpenIdProvider]:
    with openid_provider() as one:
        yield one


@pytest.fixture
def served(running: OpenIdProvider) -> OpenIdProvider:
    running.told, running.is_down = {}, False
    running.asked_for.clear()
    return running


def asked(of: Provider) -> Any:
    with ProviderSession(of) as session:
        return session.get(f"{of.issuer}/.well-known/openid-configuration").json()


def test_the_configuration_is_fetched_once_for_everybody(served: OpenIdProvider) -> None:
    one = Provider(served.issuer)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(asked(one))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each["issuer"] for each in found] == [served.issuer] * 5
    assert len(served.asked_for) == 1


def test_and_again_after_a_while(served: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "CONFIGURATION_KEPT_S", 0.0)
    one = Provider(served.issuer)
    asked(one)
    asked(one)
    assert len(served.asked_for) == 2


def test_a_failure_is_everybody_s_for_a_moment(
    served: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.is_down = True
    one = Provider(served.issuer)
    for _ in range(3):
        with pytest.raises(requests.RequestException, match="503"):
            asked(one)
    assert len(served.asked_for) == 1
    served.is_down = False
    monkeypatch.setattr(one, "_good_until", 0.0)
    assert asked(one)["issuer"] == served.issuer


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"issuer": "https://another.example"}, "they must be the same"),
        ({"issuer": ""}, "they must be the same"),
        ({"issuer": None}, "they must be the same"),
        ({"token_endpoint": "http://login.example.com/token"}, "token_endpoint is not https"),
        ({"userinfo_endpoint": "http://10.0.0.1/"}, "userinfo_endpoint is not https"),
        ({"authorization_endpoint": 7}, "authorization_endpoint is not https"),
        ({"jwks_uri": "ftp://a.example/"}, "jwks_uri is not https"),
    ],
)
def test_a_configuration_of_somebody_else_or_without_tls_is_not_used(
    served: OpenIdProvider, told: dict[str, Any], says: str
) -> None:
    served.told = told
    with pytest.raises(requests.RequestException, match=says):
        asked(Provider(served.issuer))


def test_a_slash_at_the_end_of_the_name_is_no_difference(served: OpenIdProvider) -> None:
    served.told = {"issuer": served.issuer + "/"}
    assert asked(Provider(served.issuer))["issuer"] == served.issuer + "/"


@pytest.mark.parametrize(
    "url", ["http://login.example.com/", "http://localhost.evil.org/", "file:///"]
)
def test_nothing_is_asked_in_the_clear(url: str) -> None:
    assert not is_protected(url)
    session = ProviderSession(Provider("https://a.example"))
    with pytest.raises(requests.RequestException, match="is not https"):
        session.post(url, data={"code": "secret"})


Answer = Callable[[socket.socket], None]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server of one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/token"
        finally:
            thread.join()


def failure_of(answer: Answer) -> str:
    session = ProviderSession(Provider("https://a.example"))
    with answering(answer) as url, pytest.raises(requests.RequestException) as caught:
        session.post(url, data={"code": "secret"})
    assert "secret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"HTTP/1.1 ", b""]
)
def test_an_answer_has_its_time_however_it_trickles(
    monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setattr(provider, "ANSWER_S", 0.3)
    given_up = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.sendall(head)
        while not given_up.wait(0.05):
            try:
                connection.sendall(b"x")
            except OSError:
                return

    session = ProviderSession(Provider("https://a.example"))
    with answering(trickle) as url:
        try:
            with pytest.raises(requests.RequestException, match="no whole answer"):
                session.post(url)
        finally:
            given_up.set()


def test_a_name_that_nobody_resolves_has_its_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()
    monkeypatch.setattr(provider, "ANSWER_S", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: given_up.wait(20) and [])
    session = ProviderSession(Provider("https://a.example"))
    try:
        with pytest.raises(requests.RequestException, match=r"within 0\.2 s"):
            session.post("https://a.example/token")
    finally:
        given_up.set()


def test_pages_that_are_given_up_take_no_more_threads_than_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_up = threading.Event()
    asking = threading.BoundedSemaphore(2)
    monkeypatch.setattr(provider, "ANSWER_S", 0.1)
    monkeypatch.setattr(provider, "_asking", asking)
    monkeypatch.setattr(ProviderSession, "_answer", lambda *args, **options: given_up.wait(20))
    said = []
    for _ in range(3):
        with pytest.raises(requests.RequestException) as caught:
            ProviderSession(Provider("https://a.example")).post("https://a.example/token")
        said.append(str(caught.value))
    assert ["wait for the provider" in each for each in said] == [False, False, True]
    given_up.set()
    for _ in range(2):
        assert asking.acquire(timeout=20)


def test_an_answer_has_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "MOST_BYTES", 10_000)

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20_000)

    assert "more than 10,000 bytes" in failure_of(flood)


def test_an_answer_that_breaks_off_or_leads_elsewhere_is_a_failure() -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")

    def lead(connection: socket.socket) -> None:
        connection.sendall(
            b"HTTP/1.1 302 F\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n"
        )

    assert failure_of(cut)
    assert "leads elsewhere" in failure_of(lead)


def test_a_whole_answer_comes_as_it_was_sent() -> None:
    sent = json.dumps({"access_token": "t", "text": "é" * 5000}).encode()

    def answer(connection: socket.socket) -> None:
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (sent[:7], sent[7:]))
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + chunks + b"0\r\n\r\n")

    with answering(answer) as url, ProviderSession(Provider("https://a.example")) as session:
        response = session.post(url)
    assert response.json()["text"] == "é" * 5000
