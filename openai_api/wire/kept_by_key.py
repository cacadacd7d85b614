"""What a worker keeps in memory for a while, by key and name, within a bound of bytes of which one
key gets a part: nobody pushes out everybody else's.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Final, Generic, Protocol, TypeVar

# The part of all bytes that one key may have.
KEYS_AT_LEAST: Final = 8


class Sized(Protocol):
    @property
    def size(self) -> int:
        """In bytes; the same for as long as it is kept."""


NameT = TypeVar("NameT", bound=Hashable)
KeptT = TypeVar("KeptT", bound=Sized)


class KeptByKey(Generic[NameT, KeptT]):
    """`most_bytes` of all together; 0 keeps none. In the order in which things were put or used."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._all: OrderedDict[tuple[int, NameT], KeptT] = OrderedDict()
        self._of_key: dict[int, OrderedDict[NameT, KeptT]] = {}
        self._bytes_of_key: dict[int, int] = {}
        self.total_bytes = 0

    def get(self, key_id: int, name: NameT) -> KeptT | None:
        return self._all.get((key_id, name))

    def of_key(self, key_id: int) -> Iterable[KeptT]:
        """The last one first."""
        found = self._of_key.get(key_id)
        return reversed(found.values()) if found else ()

    def oldest(self) -> tuple[int, NameT, KeptT] | None:
        for (key_id, name), kept in self._all.items():
            return key_id, name, kept
        return None

    def put(self, key_id: int, name: NameT, kept: KeptT) -> bool:
        """Keeps it in place of what has this name; False where it is too large for one key."""
        share = self._most_bytes // KEYS_AT_LEAST
        if kept.size > share:
            return False
        if (key_id, name) in self._all:
            self.forget(key_id, name)
        self._all[key_id, name] = kept
        self._of_key.setdefault(key_id, OrderedDict())[name] = kept
        self._bytes_of_key[key_id] = self._bytes_of_key.get(key_id, 0) + kept.size
        self.total_bytes += kept.size
        while self._bytes_of_key[key_id] > share:
            self.forget(key_id, next(iter(self._of_key[key_id])))
        while self.total_bytes > self._most_bytes:
            self.forget(*next(iter(self._all)))
        return True

    def use(self, key_id: int, name: NameT) -> None:
        """It is the last to go now."""
        self._all.move_to_end((key_id, name))
        self._of_key[key_id].move_to_end(name)

    def forget(self, key_id: int, name: NameT) -> None:
        size = self._all.pop((key_id, name)).size
        self.total_bytes -= size
        self._bytes_of_key[key_id] -= size
        del self._of_key[key_id][name]
        if not self._of_key[key_id]:
            del self._of_key[key_id], self._bytes_of_key[key_id]
