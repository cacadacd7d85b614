"""What becomes of memory that is freed: it is kept for the next use, up to a bound.

glibc returns it to the system at once where it was large, and each page of the next large body is
then made anew and zeroed by the kernel: that took longer than all that is done with the body. Other
libraries of C have no `mallopt`, and keep their own ways.
"""

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
# What a worker keeps at most beyond its need, and the largest piece that it keeps.
KEPT_BYTES: Final = 32 * 1024 * 1024
LARGEST_KEPT_BYTES: Final = 16 * 1024 * 1024


def keep() -> None:
    """For this process and those that it forks."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_TRIM_THRESHOLD, KEPT_BYTES)
        set_option(_M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
