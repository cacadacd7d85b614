"""A few moments in memory that a process shares with those forked from it.

`gunicorn.conf.py` imports this module before it forks the workers, so all of one host have the same
memory. It needs neither a database nor a disk.
"""

import fcntl
import os
import struct
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_FORM: Final = struct.Struct("dd?")


@dataclass
class Outage:
    """By the monotonic clock, which processes of a host share. 0: never."""

    seen_at: float = 0.0
    claimed_at: float = 0.0
    is_told: bool = False


class SharedOutage:
    def __init__(self) -> None:
        # Of all who share this.
        self.host = uuid.uuid4().hex
        self._file = _memory_file()
        os.pwrite(self._file, _FORM.pack(0.0, 0.0, False), 0)

    @contextmanager
    def locked(self) -> Iterator[Outage]:
        """What is shared; changes are kept. One process at a time, and one thread of it."""
        # A record lock belongs to a process, where flock's would be all of theirs.
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            outage = Outage(*_FORM.unpack(os.pread(self._file, _FORM.size, 0)))
            yield outage
            values = (outage.seen_at, outage.claimed_at, outage.is_told)
            os.pwrite(self._file, _FORM.pack(*values), 0)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)


def _memory_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("gateway-outage")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


shared_outage: Final = SharedOutage()
