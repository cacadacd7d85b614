"""What this worker remembers for a while, by key and id: items of answers, texts of documents.

Within a bound of bytes of which one key gets a part. In memory only.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from openai_api.chat_completions.answer import dumps

# The part of all bytes that one key's items may have: nobody pushes out everybody else's.
KEYS_AT_LEAST: Final = 8
# What the place of an item takes beside its text.
BYTES_AROUND_AN_ITEM: Final = 300


@dataclass(slots=True)
class _Kept:
    text: bytes
    expires_at_s: float

    @property
    def size(self) -> int:
        return len(self.text) + BYTES_AROUND_AN_ITEM


class RecentItems:
    """Items by key and id. `most_bytes` of all together; 0 keeps none."""

    def __init__(self, most_bytes: int, lifetime_s: float, *, clock: Callable[[], float]) -> None:
        self._most_bytes = most_bytes
        self._lifetime_s = lifetime_s
        self._clock = clock
        # Both in the order in which items came, so that the first to expire stands first.
        self._all: OrderedDict[tuple[int, str], _Kept] = OrderedDict()
        self._of_key: dict[int, OrderedDict[str, None]] = {}
        self._bytes_of_key: dict[int, int] = {}
        self.total_bytes = 0

    def keep(self, key_id: int, items: Iterable[dict[str, Any]]) -> None:
        share = self._most_bytes // KEYS_AT_LEAST
        expires_at_s = self._clock() + self._lifetime_s
        for item in items:
            kept = _Kept(dumps(item), expires_at_s)
            if kept.size > share:
                continue
            at = (key_id, item["id"])
            if at in self._all:
                self._forget(at)
            self._all[at] = kept
            self._of_key.setdefault(key_id, OrderedDict())[item["id"]] = None
            self._bytes_of_key[key_id] = self._bytes_of_key.get(key_id, 0) + kept.size
            self.total_bytes += kept.size
            while self._bytes_of_key[key_id] > share:
                self._forget((key_id, next(iter(self._of_key[key_id]))))
            while self.total_bytes > self._most_bytes:
                self._forget(next(iter(self._all)))
        self._forget_expired()

    def find(self, key_id: int, item_id: str) -> dict[str, Any] | None:
        self._forget_expired()
        kept = self._all.get((key_id, item_id))
        if kept is None:
            return None
        item: dict[str, Any] = orjson.loads(kept.text)
        return item

    def _forget_expired(self) -> None:
        now_s = self._clock()
        while self._all:
            at, kept = next(iter(self._all.items()))
            if kept.expires_at_s > now_s:
                return
            self._forget(at)

    def _forget(self, at: tuple[int, str]) -> None:
        key_id, item_id = at
        size = self._all.pop(at).size
        self.total_bytes -= size
        self._bytes_of_key[key_id] -= size
        del self._of_key[key_id][item_id]
        if not self._of_key[key_id]:
            del self._of_key[key_id], self._bytes_of_key[key_id]
