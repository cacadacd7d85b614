"""A line of the access log is a LogRecord like any other, for whatever formatter is configured."""

import logging
import os
import threading
import time

import pytest

from proxysite.access_log import log_request


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
