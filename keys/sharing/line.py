"""Requests that wait for one rate: keys in turn, within a key its users in turn.

A key of weight 3 is served three times when a key of weight 1 is served once. Any who wait may
leave. All steps take the same time however many wait.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

Turn = asyncio.Future[None]


class Asker(NamedTuple):
    """Who asks: a key, its weight, and the user behind it."""

    key: str
    weight: int = 1
    user: str = ""


@dataclass(slots=True)
class _OfKey:
    weight: int
    # How often it is served before the next key is.
    served_more: int
    users: OrderedDict[str, OrderedDict[Turn, None]] = field(default_factory=OrderedDict)
    count: int = 0


class Line:
    """Whose turn is next comes first."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, _OfKey] = OrderedDict()
        self.length = 0

    def join(self, asker: Asker, turn: Turn) -> None:
        key = self._keys.get(asker.key)
        if key is None:
            key = self._keys[asker.key] = _OfKey(asker.weight, asker.weight)
        key.weight = asker.weight
        key.users.setdefault(asker.user, OrderedDict())[turn] = None
        key.count += 1
        self.length += 1

    def leave(self, asker: Asker, turn: Turn) -> None:
        """Nothing for one who was served already."""
        key = self._keys.get(asker.key)
        turns = None if key is None else key.users.get(asker.user)
        if key is not None and turns is not None and turn in turns:
            self._remove(asker.key, key, asker.user, turns, turn)

    def serve(self) -> None:
        """The next turn comes. There must be one."""
        name, key = next(iter(self._keys.items()))
        key.served_more -= 1
        if key.served_more <= 0:
            key.served_more = key.weight
            self._keys.move_to_end(name)
        self.serve_key(name)

    def serve_key(self, name: str) -> bool:
        """The next turn of this key comes; False where none waits any more."""
        key = self._keys.get(name)
        if key is None:
            return False
        user, turns = next(iter(key.users.items()))
        turn = next(iter(turns))
        key.users.move_to_end(user)
        self._remove(name, key, user, turns, turn)
        if not turn.done():
            turn.set_result(None)
        return True

    def waiting(self) -> Iterator[tuple[str, int, int]]:
        """Each key with its weight and how many wait."""
        for name, key in self._keys.items():
            yield name, key.weight, key.count

    def _remove(
        self, name: str, key: _OfKey, user: str, turns: OrderedDict[Turn, None], turn: Turn
    ) -> None:
        del turns[turn]
        if not turns:
            del key.users[user]
        key.count -= 1
        self.length -= 1
        if not key.count:
            del self._keys[name]
