"""Tools that came before: an agent offers the same ones, byte for byte, with each of its requests.

`ToolLists` knows the latest lists of each key by their bytes. Where one stands in a body again, it
is cut out before the rest is parsed, and the list of the earlier request stands in its place, with
all that was made of it: checked, translated and counted once. A list is that of its key alone and
stays in memory only, within a bound of bytes of which one key gets a part.
"""

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import orjson

from openai_api.errors import ApiError
from openai_api.wire.bounds import separators
from openai_api.wire.kept_by_key import KeptByKey
from openai_api.wire.left_in_body import chat_object

ToolT = TypeVar("ToolT")
MadeT = TypeVar("MadeT")

MOST_BYTES: Final = 16 * 1024 * 1024
# Shorter lists are parsed as quickly.
LEAST_BYTES: Final = 2 * 1024
# For how long a list is known that nobody sends.
UNUSED_FOR_S: Final = 600.0
# What a value takes beside its text, and how often a list is there: as it came, and translated.
_BYTES_OF_A_VALUE: Final = 100
_FORMS: Final = 2
# Agents of one key send the same tools with longer and shorter fields around them.
_PLACES: Final = 8
# The end of the first name of a body, within so many bytes.
_NAME_ENDS: Final = b'":'
_BEGINNING_BYTES: Final = 200
# Of what stands in the place of a list, which nobody who wrote the body can know.
_SECRET_BYTES: Final = 16


class ToolList(list[ToolT], Generic[ToolT]):
    """Tools in one of their forms, and what was made of them. Never changed from then on, nor is
    anything in them: other requests may have them too."""

    __slots__ = ("_made",)

    def __init__(self, tools: Iterable[ToolT] = ()) -> None:
        super().__init__(tools)
        self._made: dict[tuple[Any, ...], Any] = {}

    @classmethod
    def of(cls, tools: "list[ToolT]") -> "ToolList[ToolT]":
        """The list itself, where it is one."""
        return tools if isinstance(tools, ToolList) else cls(tools)

    def made(self, make: "Callable[..., MadeT]", *how: bool) -> MadeT:
        """`make(tools, *how)`, which is made once. Kept as it is, so nobody may change it; and not
        with the list in it, which would stay in memory until the garbage collector runs."""
        name = (make, *how)
        if name not in self._made:
            self._made[name] = make(self, *how)
        made: MadeT = self._made[name]
        return made

    def as_json(self) -> bytes:
        return self.made(orjson.dumps)


@dataclass(slots=True)
class _Known:
    """`places`: where the list stood in its last bodies, from the beginning of each, and, below
    zero, from its end."""

    text: bytes
    tools: ToolList[Any]
    values: int
    used_at_s: float
    places: deque[int] = field(default_factory=lambda: deque(maxlen=_PLACES))

    @property
    def size(self) -> int:
        return _FORMS * (len(self.text) + _BYTES_OF_A_VALUE * self.values)


class ToolLists:
    """Lists by key and bytes. `most_bytes` of all together; 0 keeps none."""

    def __init__(
        self, most_bytes: int = MOST_BYTES, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        # In the order in which they were used last.
        self._kept: KeptByKey[bytes, _Known] = KeptByKey(most_bytes)

    @property
    def total_bytes(self) -> int:
        return self._kept.total_bytes

    def chat_object(self, key_id: int, body: bytes) -> dict[str, Any]:
        """As `left_in_body.chat_object`; the `tools` are a ToolList where they are known, or are
        known from now on."""
        found = self._find(key_id, body)
        if found is not None:
            parsed = _without_tools(body, *found)
            if parsed is not None:
                return parsed
        parsed = chat_object(body)
        tools = parsed.get("tools")
        if type(tools) is list and tools:
            self._keep(key_id, body, parsed)
        return parsed

    def _find(self, key_id: int, body: bytes) -> tuple[_Known, int] | None:
        """A list that stands where it stood in an earlier body, and where that is."""
        for known in self._kept.of_key(key_id):
            for place in known.places:
                if body.startswith(known.text, place):
                    self._used(key_id, known)
                    return known, place % len(body)
        return None

    def _keep(self, key_id: int, body: bytes, parsed: dict[str, Any]) -> None:
        text = _as_written(parsed["tools"], body)
        # `rfind` takes time that is not linear.
        start = body.find(text) if len(text) >= LEAST_BYTES else -1
        if start < 0:
            return
        known = self._kept.get(key_id, text)
        if known is None:
            known = self._new(key_id, text, parsed["tools"])
            if known is None:
                return
        known.places.extendleft((start, start - len(body)))
        self._used(key_id, known)
        parsed["tools"] = known.tools

    def _new(self, key_id: int, text: bytes, given: list[Any]) -> _Known | None:
        known = _Known(text, ToolList(given), separators(text), self._clock())
        if not self._kept.put(key_id, text, known):
            return None
        unused_since_s = self._clock() - UNUSED_FOR_S
        while (oldest := self._kept.oldest()) is not None and oldest[2].used_at_s < unused_since_s:
            self._kept.forget(*oldest[:2])
        return known

    def _used(self, key_id: int, known: _Known) -> None:
        known.used_at_s = self._clock()
        self._kept.use(key_id, known.text)


def _as_written(tools: list[Any], body: bytes) -> bytes:
    """The tools as nearly all clients write JSON: without spaces, or as Python's own module does.
    They are not found in a body that is written in another way."""
    name_ends = body.find(_NAME_ENDS, 0, _BEGINNING_BYTES) + len(_NAME_ENDS)
    if body[name_ends : name_ends + 1] == b" ":
        return json.dumps(tools).encode()
    return orjson.dumps(tools)


def _without_tools(body: bytes, known: _Known, start: int) -> dict[str, Any] | None:
    """The body as an object, its tools not parsed; None where what stands there is anything but
    the tools of a sound body, which the body itself then tells."""
    mark = os.urandom(_SECRET_BYTES).hex()
    view = memoryview(body)
    rest = (view[:start], b'"', mark.encode(), b'"', view[start + len(known.text) :])
    try:
        parsed = chat_object(b"".join(rest), values_beside=known.values)
    except ApiError:
        return None
    if parsed.get("tools") != mark:
        return None
    parsed["tools"] = known.tools
    return parsed


tool_lists: Final = ToolLists()
