"""The progress of a long command: a bar on a terminal, an occasional line of text elsewhere."""

import time
from collections.abc import Callable
from typing import Any, Final

BAR_WIDTH: Final = 30
REDRAW_S: Final = 0.1
LINE_EVERY_S: Final = 10.0


class Progress:
    """Use it in a `with`. If `total` is None the amount is unknown, and a count is shown."""

    def __init__(
        self,
        out: Any,
        what: str,
        total: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._what = what
        self._total = total
        self._clock = clock
        self._done = 0
        self._is_terminal = bool(out.isatty())
        self._shown_at = clock()
        self._drew = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *failure: object) -> None:
        if self._drew:
            self._show(end="\n")

    def add(self, count: int = 1) -> None:
        self._done += count
        now = self._clock()
        if now - self._shown_at >= (REDRAW_S if self._is_terminal else LINE_EVERY_S):
            self._shown_at = now
            self._show(end="" if self._is_terminal else "\n")
            self._drew = self._is_terminal

    def _show(self, end: str) -> None:
        text = f"{self._done:,} {self._what}"
        if self._total:
            share = min(1.0, self._done / self._total)
            text = f"{self._done:,} of {self._total:,} {self._what}, {share:.0%}"
            if self._is_terminal:
                filled = round(share * BAR_WIDTH)
                text = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {text}"
        start = "\r\033[K" if self._is_terminal else ""
        self._out.write(start + text, style_func=str, ending=end)
        self._out.flush()
