"""The thread that brings changes into a worker's memory."""

import asyncio

import pytest

from keys.access.key_index import index
from proxysite import refresher
from proxysite.refresher import Refresher


async def test_a_fault_that_nobody_foresaw_does_not_end_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop, polled_again = asyncio.get_running_loop(), asyncio.Event()
    faults = [ValueError("a row that nobody can read"), ValueError("the same row")]

    def poll() -> None:
        if faults:
            raise faults.pop()
        loop.call_soon_threadsafe(polled_again.set)

    monkeypatch.setattr(refresher, "POLL_S", 0.001)
    monkeypatch.setattr(index, "poll", poll)
    monkeypatch.setattr(refresher.snapshot, "poll", lambda: None)
    monkeypatch.setattr(refresher.signed_out, "poll", lambda: None)
    monkeypatch.setattr(refresher.CapturedSweep, "look", lambda self: None)
    monkeypatch.setattr(Refresher, "load", lambda self: setattr(self, "_loaded", True))
    thread = Refresher(loop)
    thread.start()
    try:
        await asyncio.wait_for(polled_again.wait(), 20)
    finally:
        await asyncio.to_thread(thread.stop)
    assert caplog.text.count("Keys and catalog cannot be read: the same row") == 1
    assert thread.healthy
