"""What each channel sends, to real receivers, and what it says of each way to fail."""

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from alerts.channels import configured, mail, named, webhook
from alerts.messages import mail_subject, plain, webhook_body
from tests.alerts.messages import message
from tests.alerts.receivers import Handler, Mailbox, Receiver
from tests.gateway import free_port
from tests.workers_ai.http.proxies import proxy_answering


async def told(receiver: Receiver) -> tuple[bool, str]:
    outcome = await webhook.send(receiver.url, message())
    return outcome.arrived, outcome.words


async def test_a_body_has_what_each_service_reads(receiver: Receiver) -> None:
    sent = message(figures={"percent": 85})
    assert (await webhook.send(receiver.url, sent)).arrived
    (body,) = receiver.bodies
    assert {name: body[name] for name in ("event", "severity", "figures", "url", "holder")} == {
        "event": "limit",
        "severity": "warning",
        "figures": {"percent": 85},
        "url": sent.url,
        "holder": {"kind": "key", "id": 7, "name": "laptop"},
    }
    assert body["id"] == str(sent.id)
    assert body["text"] == body["content"] == f"{sent.text}\n{sent.url}"


def test_a_name_calls_nobody_and_links_nowhere() -> None:
    text = plain("key <!channel> <https://evil.example|ok> @everyone @Here\r\nBcc: x \u202e@cf/a")
    assert not {"<", ">", "\r", "\n", "\u202e"} & set(text)
    assert "@everyone" not in text and "@Here" not in text
    assert "@cf/a" in text, "models keep their names"
    assert webhook_body(message())["allowed_mentions"] == {"parse": []}
    assert len(plain("x" * 5000)) == 1000
    assert "\n" not in mail_subject(message(text="a\nBcc: b"))


async def test_every_failure_has_an_end_and_words_without_the_secret(
    receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TOTAL_S", 0.5)

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not receiver.over.is_set():
                handler.wfile.write(b"x" * 1000)

    def dripping(handler: Handler) -> None:
        handler.send_response(500)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not receiver.over.wait(0.05):
                handler.wfile.write(b".")

    def hanging(handler: Handler) -> None:
        receiver.over.wait()

    private = {"location": "http://127.0.0.1:1/latest/meta-data"}
    cases = [
        (lambda h: h.say(204), True, "HTTP 204"),
        (lambda h: h.say(404, b"no_service"), False, "HTTP 404: no_service"),
        (lambda h: h.say(400, f"bad {h.path}".encode()), False, "HTTP 400"),
        (lambda h: h.say(500, b"<html>" + b"y" * 9000), False, "HTTP 500"),
        (lambda h: h.say(307, **private), False, "HTTP 307: redirects are not followed"),
        (lambda h: h.say(302), False, "HTTP 302: redirects are not followed"),
        (endless, True, "HTTP 200"),
        (dripping, False, "no answer within 0.5 s"),
        (hanging, False, "no answer within 0.5 s"),
        (lambda h: h.connection.close(), False, "the connection broke"),
    ]
    for answer, arrives, words in cases:
        receiver.answer = answer
        arrived, said = await told(receiver)
        assert (arrived, said.startswith(words)) == (arrives, True), said
        assert "SECRET" not in said
    assert len(receiver.bodies) == len(cases), "no redirect was followed"

    receiver.answer = lambda h: h.say(429, **{"retry-after": "7"})
    assert (await webhook.send(receiver.url, message())).retry_after_s == 7
    receiver.port = free_port()
    assert "it cannot be reached" in (await told(receiver))[1]
    settings.ALERT_WEBHOOK_NETWORKS = []
    for host in ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "2130706433"):
        outcome = await webhook.send(f"http://{host}:{receiver.port}/x", message())
        assert not outcome.arrived and "its address is private" in outcome.words, host
    assert len(receiver.bodies) == len(cases) + 1


async def test_a_proxy_is_on_the_way_to_https_but_for_its_exceptions(
    receiver: Receiver, settings: Any
) -> None:
    async with proxy_answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        settings.UPSTREAM_PROXY, settings.NO_PROXY = proxy.url("me:hunter2@"), "intra.example.com"
        outcome = await webhook.send("https://hooks.example.com/T0SECRETPATH", message())
        assert not outcome.arrived and "407" in outcome.words
        assert "hunter2" not in outcome.words and "SECRET" not in outcome.words
        assert [head.split(b"\r\n")[0] for head in proxy.heads] == [
            b"CONNECT hooks.example.com:443 HTTP/1.1"
        ]
        assert (await webhook.send(receiver.url, message())).arrived, "plain HTTP goes by itself"
        settings.ALERT_WEBHOOK_NETWORKS = []
        for url in ("https://169.254.169.254/x", "https://localhost.intra.example.com/x"):
            assert not (await webhook.send(url, message())).arrived
        assert len(proxy.heads) == 1


async def test_a_mail_arrives_and_a_refusal_is_told(mailbox: Mailbox, settings: Any) -> None:
    settings.ALERT_EMAILS = ["ops@example.com", "gone@example.com"]
    mailbox.refuses = {"gone@example.com"}
    sent = message(figures={"percent": 85})
    names = [channel.name for channel in named.channels()]
    good, bad = [await configured.send(name, sent) for name in names]
    assert good.arrived and mailbox.to == ["ops@example.com"]
    (mail_,) = mailbox.mails
    assert mail_["subject"] == f"[Workers AI Gateway] warning: {sent.text}"
    assert str(sent.id) in mail_["message-id"] and mail_["from"] == "gateway@example.com"
    assert sent.url in mail_.get_content() and "percent: 85" in mail_.get_content()  # type: ignore[attr-defined]
    assert not bad.arrived and "550" in bad.words and "nobody of that name" in bad.words


async def test_a_mail_server_that_hangs_or_is_away_is_given_up(
    mailbox: Mailbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "TOTAL_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_PORT = silent.getsockname()[1]
        outcome = await asyncio.wait_for(mail.send("ops@example.com", message()), 5)
    assert not outcome.arrived and "within 0.3 s" in outcome.words
    settings.EMAIL_PORT = free_port()
    monkeypatch.setattr(mail, "TOTAL_S", 10.0)
    outcome = await mail.send("ops@example.com", message())
    assert not outcome.arrived and "cannot be reached" in outcome.words
