"""Writes log lines to stderr, those of one turn of the event loop together.

Each write is a system call that releases the interpreter's lock to another thread, so that a busy
worker would pause for each request. A lone line is written when the turn ends. Lines of other
threads, and warnings and errors, are written at once, after the lines that wait.
"""

import asyncio
import logging


class TurnHandler(logging.StreamHandler):
    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle(self, record: logging.LogRecord) -> bool:
        """As logging's own, which makes three calls more for each line."""
        if self.filters and not self.filter(record):
            return False
        assert self.lock is not None
        with self.lock:
            self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        # As get_running_loop, without an exception where none runs.
        loop = asyncio._get_running_loop()
        if loop is None or record.levelno >= logging.ERROR:
            self._write_waiting()
            super().emit(record)
            return
        try:
            line = self.format(record) + self.terminator
        except Exception:
            self.handleError(record)
            return
        self._waiting.append(line)
        if len(self._waiting) == 1 or loop is not self._loop:
            # The event loop of earlier lines may have ended before they were written.
            self._loop = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        assert self.lock is not None
        with self.lock:
            self._write_waiting()
            self.stream.flush()

    def _write_waiting(self) -> None:
        if self._waiting:
            lines, self._waiting = self._waiting, []
            self.stream.write("".join(lines))


class AsWarning(logging.Filter):
    """What a client did wrong, such as a `Host` that is not ours, is nothing that an operator has
    to look into: a line without a traceback, whatever Django calls it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.levelno = min(record.levelno, logging.WARNING)
        record.levelname = logging.getLevelName(record.levelno)
        record.exc_info = record.exc_text = record.stack_info = None
        return logging.getLogger().isEnabledFor(record.levelno)
