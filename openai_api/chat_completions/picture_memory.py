"""How many bytes of fetched pictures are in memory: of one request, and of all that run.

Belongs to one event loop.
"""

from openai_api.errors import PicturesBusy


class PictureMemory:
    """`most_bytes` for all requests of this process. A caller gets more while all of what it holds
    is no more than what is free, so that nobody has all of it and there is some for who comes next.
    """

    def __init__(self, most_bytes: int) -> None:
        self._free = most_bytes
        self._held: dict[str, int] = {}

    def take(self, caller: str, size: int) -> None:
        """Raises PicturesBusy when there is not so much for this caller."""
        held = self._held.get(caller, 0)
        if held + size > self._free:
            raise PicturesBusy
        self._free -= size
        self._held[caller] = held + size

    def give_back(self, caller: str, size: int) -> None:
        self._free += size
        left = self._held[caller] - size
        if left:
            self._held[caller] = left
        else:
            del self._held[caller]


class RequestPictures:
    """What one request holds, until it is over."""

    def __init__(self, memory: PictureMemory, caller: str, *, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._memory = memory
        self._caller = caller
        self._size = 0

    def take(self, size: int) -> bool:
        """False when the request would hold more than it may; raises PicturesBusy."""
        if self._size + size > self.most_bytes:
            return False
        self._memory.take(self._caller, size)
        self._size += size
        return True

    def release(self) -> None:
        """Called when nobody needs the pictures any more; again does no harm."""
        if self._size:
            size, self._size = self._size, 0
            self._memory.give_back(self._caller, size)

    def __del__(self) -> None:
        """For a stream whose generator never started."""
        self.release()
