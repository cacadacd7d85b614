"""What this worker remembers for a while, by key and id: items of answers, texts of documents.

Within a bound of bytes of which one key gets a part. In memory only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from openai_api.chat_completions.answer import dumps
from openai_api.wire.kept_by_key import KeptByKey

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
        self._lifetime_s = lifetime_s
        self._clock = clock
        # In the order in which they came, so that the first to expire stands first.
        self._kept: KeptByKey[str, _Kept] = KeptByKey(most_bytes)

    @property
    def total_bytes(self) -> int:
        return self._kept.total_bytes

    def keep(self, key_id: int, items: Iterable[dict[str, Any]]) -> None:
        expires_at_s = self._clock() + self._lifetime_s
        for item in items:
            self._kept.put(key_id, item["id"], _Kept(dumps(item), expires_at_s))
        self._forget_expired()

    def find(self, key_id: int, item_id: str) -> dict[str, Any] | None:
        self._forget_expired()
        kept = self._kept.get(key_id, item_id)
        if kept is None:
            return None
        item: dict[str, Any] = orjson.loads(kept.text)
        return item

    def _forget_expired(self) -> None:
        now_s = self._clock()
        while (oldest := self._kept.oldest()) is not None:
            key_id, item_id, kept = oldest
            if kept.expires_at_s > now_s:
                return
            self._kept.forget(key_id, item_id)
