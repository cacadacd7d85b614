"""A line of the access log is a LogRecord like any other, for whatever formatter is configured."""

import asyncio
import io
import logging
import logging.handlers
import os
import threading
import time

import pytest

from proxysite.access_log import log_request
from proxysite.log_format import JsonFormatter, TextFormatter
from proxysite.log_handler import TurnHandler


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    with caplog.at_level(logging.INFO, "gateway.access"):
        for status in (200, 499):
            log_request(
                method="POST",
                path="/v1/chat/completions",
                status=status,
                duration_ms=12.345,
                request_id="req_1",
                client_ip="127.0.0.1",
                key_id=7,
            )
    return caplog.records


def test_a_line_has_what_every_record_has(caplog: pytest.LogCaptureFixture) -> None:
    common = logging.LogRecord("gateway.access", logging.INFO, "a.py", 0, "", (), None)
    record = lines(caplog)[-1]
    assert vars(record).keys() - {"message", "asctime"} == vars(common).keys() | {"fields"}
    for name in ("name", "levelname", "levelno", "process", "processName", "exc_info"):
        assert getattr(record, name) == getattr(common, name)
    assert (record.process, record.thread) == (os.getpid(), threading.get_ident())
    assert record.threadName == threading.current_thread().name
    assert record.module == "access_log"


def test_each_line_tells_its_own_request_and_time(caplog: pytest.LogCaptureFixture) -> None:
    first, second = lines(caplog)
    assert abs(time.time() - second.created) < 60
    assert 0 <= second.msecs < 1000
    # Both count from the moment that logging began.
    began_s = first.created - first.relativeCreated / 1000
    assert second.created - second.relativeCreated / 1000 == pytest.approx(began_s, abs=0.001)
    assert first.getMessage() == "POST /v1/chat/completions 200"
    assert second.getMessage() == "POST /v1/chat/completions 499"
    assert first.fields == {
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "duration_ms": 12.3,
        "request_id": "req_1",
        "client_ip": "127.0.0.1",
        "key": 7,
        "note": "",
    }


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
async def test_a_line_is_the_same_whoever_else_gets_it(
    formatter: type[logging.Formatter], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    handler = TurnHandler()
    handler.setStream(written)
    handler.setFormatter(formatter())
    other = logging.handlers.BufferingHandler(capacity=10)
    monkeypatch.setattr("time.time", lambda: 1_795_000_000.25)
    monkeypatch.setattr(logging.getLogger("gateway.access"), "level", logging.INFO)
    for handlers in ([handler], [handler, other]):
        monkeypatch.setattr(logging.getLogger(), "handlers", handlers)
        log_request(
            method="GET",
            path="/v1/models\n/Bearer abcdefgh12345678",
            status=404,
            duration_ms=1.26,
            request_id="sk-wai-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
            client_ip="127.0.0.1",
        )
        await asyncio.sleep(0)
    alone, beside = written.getvalue().splitlines()
    assert alone == beside
    assert "404" in alone
    assert "abcdefgh" not in alone
    assert "AbCdEf" not in alone
    assert [record.getMessage()[:3] for record in other.buffer] == ["GET"]


async def test_a_line_waits_for_the_end_of_the_turn_and_an_error_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.StringIO()
    handler = TurnHandler()
    handler.setStream(written)
    handler.setFormatter(TextFormatter())
    monkeypatch.setattr(logging.getLogger("gateway.access"), "level", logging.INFO)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    served = {"method": "GET", "status": 200, "duration_ms": 1, "client_ip": ""}
    log_request(path="/first", request_id="1", **served)
    assert written.getvalue() == ""
    logging.getLogger("gateway").error("trouble")
    await asyncio.to_thread(log_request, path="/of-a-thread", request_id="2", **served)
    log_request(path="/last", request_id="3", **served)
    await asyncio.sleep(0)
    words = ("/first", "trouble", "/of-a-thread", "/last")
    for line, word in zip(written.getvalue().splitlines(), words, strict=True):
        assert word in line
