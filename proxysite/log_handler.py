"""Writes log lines to stderr, those of one turn of the event loop together.

Each write is a system call that releases the interpreter's lock to another thread, so that a busy
worker would pause for each request. A lone line is written when the turn ends. Lines of other
threads, and warnings and errors, are written at once, after the lines that wait.
"""

import asyncio
import logging
import threading


class TurnHandler(logging.StreamHandler):
    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[str] = []
        # Of the last line that could wait.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    def handle(self, record: logging.LogRecord) -> bool:
        """As logging's own, which makes three calls more for each line."""
        if self.filters and not self.filter(record):
            return False
        assert self.lock is not None
        with self.lock:
            self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or not self._has_turns():
            self._write_waiting()
            super().emit(record)
            return
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
            return
        self._write_at_the_end_of_the_turn(line)

    def take_line(self, line: str) -> bool:
        """Writes what is formatted already, as a record below an error; False where that cannot
        wait, on other threads than a loop's."""
        assert self.lock is not None
        with self.lock:
            has_turns = self._has_turns()
            if has_turns:
                self._write_at_the_end_of_the_turn(line)
            return has_turns

    def _has_turns(self) -> bool:
        """Whether a loop runs on this thread, which `_loop` then is."""
        thread = threading.get_ident()
        # Not asked of asyncio each time: that is a system call until Python 3.12.
        if thread == self._thread and self._loop is not None and self._loop.is_running():
            return True
        loop = asyncio._get_running_loop()
        if loop is None:
            return False
        self._loop, self._thread = loop, thread
        # That of earlier lines may have ended before they were written.
        if self._waiting:
            loop.call_soon(self.flush)
        return True

    def _write_at_the_end_of_the_turn(self, line: str) -> None:
        self._waiting.append(line + self.terminator)
        if len(self._waiting) == 1:
            assert self._loop is not None
            self._loop.call_soon(self.flush)

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
