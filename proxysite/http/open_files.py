"""The files that a process may have open: sockets are files, so they bound who can be served.

A client's connection is one, and each request in flight needs one more, to Cloudflare. Where the
limit is reached all the same, connections are lost without a word, and so is the database.
"""

import contextlib
import os
import resource
from typing import Final

FOLDERS: Final = ("/proc/self/fd", "/dev/fd")
# For databases, pictures that are fetched, files of a page: what is not counted one by one.
RESERVED: Final = 32
RESERVED_SHARE: Final = 16
MOST_RESERVED: Final = 256


def raise_limit() -> None:
    """The soft limit, which most systems have at 1024, as far as this process may raise it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems call the hard limit infinite and take no infinite soft one.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def limit() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 2**31


def in_use() -> int:
    for folder in FOLDERS:
        try:
            with os.scandir(folder) as entries:
                return sum(1 for _ in entries)
        except OSError:
            continue
    return RESERVED


def usable(limit: int) -> int:
    """Of a limit, what clients and their requests may have."""
    return limit - min(MOST_RESERVED, RESERVED + limit // RESERVED_SHARE)
