"""What becomes of memory that is freed: it is kept for the next large body, up to a bound, and
given back once none came for a while.

glibc returns it to the system at once where it was large, and each page of the next large body is
then made anew and zeroed by the kernel: that took longer than all that is done with the body. Other
libraries of C have no `mallopt`, and keep their own ways.
"""

import ctypes
import math
import time
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
# What a worker keeps at most beyond its need, and the largest piece that it keeps.
KEPT_BYTES: Final = 64 * 1024 * 1024
LARGEST_KEPT_BYTES: Final = 16 * 1024 * 1024
# What is larger glibc by itself would return at once.
LARGE_BYTES: Final = 128 * 1024
# For how long no large body was there when what they used is given back.
UNUSED_FOR_S: Final = 1.0


def keep() -> None:
    """For this process and those that it forks."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_TRIM_THRESHOLD, KEPT_BYTES)
        set_option(_M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        # One for all threads: each has a remnant, and what is free at the end of another than the
        # first is never given back. Threads wait for each other at Python's lock anyway.
        set_option(_M_ARENA_MAX, 1)


class LargeBodies:
    """Those of this worker's requests and answers, which are `LARGE_BYTES` and more."""

    def __init__(self) -> None:
        self._give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
        # Infinite while there is nothing to give back.
        self._last_at = math.inf

    def note(self) -> None:
        """One was there until now."""
        self._last_at = time.monotonic()

    def look(self) -> None:
        """Gives back what they used. Not for the event loop: 38 MiB took 4 ms, and 75 MiB 17, in
        which other threads run, but wait where they need more memory."""
        if self._give_back is not None and time.monotonic() - self._last_at > UNUSED_FOR_S:
            self._last_at = math.inf
            self._give_back(0)


large_bodies: Final = LargeBodies()
