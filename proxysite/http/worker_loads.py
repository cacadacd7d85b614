"""How many connections each worker of a host has, in memory that a master shares with its workers.

The master gives each worker a place before it forks it, and takes the place back when the worker
has ended. A worker tells its number a few times a second; one that is stuck, stopped or dead tells
nothing, and is not counted.
"""

import mmap
import time
from typing import Final

PLACES: Final = 128
# Several times what is between two tellings of a worker that is well.
COUNTS_FOR_S: Final = 1.0
# A place is two whole numbers: when it was told, in nanoseconds of the monotonic clock, 0 for
# never; and connections.
_FIELDS: Final = 2
_BYTES: Final = 8
# Fewer beyond an even share are left alone, and so is less than a quarter of one.
LEAST_BEYOND: Final = 3


class WorkerLoads:
    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, PLACES * _FIELDS * _BYTES)).cast("q")
        self._free = list(range(PLACES))

    # --- for the master -----------------------------------------------------------------------

    def take_place(self) -> int | None:
        """None where all are taken: that worker looks at nobody, and nobody at it."""
        return self._free.pop() if self._free else None

    def give_back(self, place: int | None) -> None:
        if place is not None:
            self.withdraw(place)
            self._free.append(place)

    # --- for a worker -------------------------------------------------------------------------

    def tell(self, place: int, connections: int) -> None:
        self._cells[place * _FIELDS + 1] = connections
        self._cells[place * _FIELDS] = time.monotonic_ns()

    def withdraw(self, place: int) -> None:
        self._cells[place * _FIELDS] = 0

    def beyond_share(self, place: int) -> int:
        """How many of a worker's connections are beyond an even share; 0 where that is not much."""
        cells = self._cells.tolist()
        since = time.monotonic_ns() - int(COUNTS_FOR_S * 1e9)
        told = zip(cells[::_FIELDS], cells[1::_FIELDS], strict=True)
        counted = [connections for at, connections in told if at > since]
        if not counted:
            return 0
        share = -(-sum(counted) // len(counted))
        beyond = cells[place * _FIELDS + 1] - share
        return beyond if beyond >= max(LEAST_BEYOND, share / 4) else 0


worker_loads: Final = WorkerLoads()
