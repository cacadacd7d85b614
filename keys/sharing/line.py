"""Requests that wait for one rate: the key that had the least comes first, within a key its users
in turn.

What a key had is counted in "virtual time": a turn is 1 / weight of it, so a key of weight 3 is
served three times when a key of weight 1 is served once. A key that comes to the line begins at
what it had, but at most `credit` turns before the key that waits with the least: whoever took a
whole minute in its first seconds lets the others catch up, and nobody saves up turns for later. Any
who wait may leave.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

Turn = asyncio.Future[None]

# Of keys that do not wait, how many are remembered with what they had.
KEYS_KEPT: Final = 2_000
# Entries of keys that left before their turn, beyond as many as wait.
STALE_KEPT: Final = 64


class Asker(NamedTuple):
    """Who asks: a key, its weight, and the user behind it."""

    key: str
    weight: int = 1
    user: str = ""


@dataclass(slots=True)
class _OfKey:
    weight: int
    had: float
    # By user, each turn with the moment at which it came.
    users: OrderedDict[str, OrderedDict[Turn, float]] = field(default_factory=OrderedDict)
    count: int = 0


class Line:
    """Whose turn is next comes first."""

    def __init__(self) -> None:
        self._keys: dict[str, _OfKey] = {}
        # What each key had, in the order of who comes next, with the number of the entry. An entry
        # of a key that left is dropped when it comes first.
        self._order: list[tuple[float, int, str, _OfKey]] = []
        self._entries = 0
        self._had: dict[str, float] = {}
        self._floor = 0.0
        self.credit = 0.0
        self.length = 0

    def join(self, asker: Asker, turn: Turn, at: float = 0.0) -> None:
        """`at` is the moment, for `oldest`."""
        key = self._keys.get(asker.key)
        if key is None:
            had = max(self._had.get(asker.key, 0.0), self._floor)
            key = self._keys[asker.key] = _OfKey(asker.weight, had)
            self._enter(asker.key, key)
        key.weight = asker.weight
        key.users.setdefault(asker.user, OrderedDict())[turn] = at
        key.count += 1
        self.length += 1

    def leave(self, asker: Asker, turn: Turn) -> None:
        """Nothing for one who was served already."""
        key = self._keys.get(asker.key)
        turns = None if key is None else key.users.get(asker.user)
        if key is not None and turns is not None and turn in turns:
            self._remove(asker.key, key, asker.user, turns, turn)

    def make_room_for(self, asker: Asker) -> bool:
        """Takes out who came last for the key that waits with the most, so that nobody fills the
        line for the others; False where the asker's own would have as many."""
        name, most = max(self._keys.items(), key=lambda each: each[1].count / each[1].weight)
        own = self._keys.get(asker.key)
        count = 1 if own is None else own.count + 1
        if count / asker.weight >= most.count / most.weight:
            return False
        user, turns = max(most.users.items(), key=lambda each: len(each[1]))
        turn = next(reversed(turns))
        self._remove(name, most, user, turns, turn)
        turn.cancel()
        return True

    def serve(self) -> None:
        """The next turn comes. There must be one."""
        while True:
            had, _, name, key = heapq.heappop(self._order)
            if self._keys.get(name) is key:
                break
        self._floor = max(self._floor, had - self.credit)
        key.had += 1 / key.weight
        self.serve_key(name)
        if key.count:
            self._enter(name, key)

    def serve_key(self, name: str) -> bool:
        """The next turn of this key comes; False where none waits any more. It does not count here:
        whoever names the key keeps what each had."""
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

    def oldest(self) -> float | None:
        """The moment at which the one came who waits the longest; None where none waits."""
        # Copied, since a page asks from a thread of its own.
        moments = [
            moment
            for key in list(self._keys.values())
            for turns in list(key.users.values())
            for moment in list(turns.values())[:1]
        ]
        return min(moments, default=None)

    def _enter(self, name: str, key: _OfKey) -> None:
        if len(self._order) > 2 * len(self._keys) + STALE_KEPT:
            self._order = [entry for entry in self._order if self._keys.get(entry[2]) is entry[3]]
            heapq.heapify(self._order)
        self._entries += 1
        heapq.heappush(self._order, (key.had, self._entries, name, key))

    def _remove(
        self, name: str, key: _OfKey, user: str, turns: OrderedDict[Turn, float], turn: Turn
    ) -> None:
        del turns[turn]
        if not turns:
            del key.users[user]
        key.count -= 1
        self.length -= 1
        if not key.count:
            del self._keys[name]
            self._remember(name, key.had)

    def _remember(self, name: str, had: float) -> None:
        if len(self._had) >= KEYS_KEPT:
            self._had = {known: had for known, had in self._had.items() if had > self._floor}
        if had > self._floor and len(self._had) < KEYS_KEPT:
            self._had[name] = had
        else:
            self._had.pop(name, None)
