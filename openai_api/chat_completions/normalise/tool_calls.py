"""Tool calls in all the forms upstream sends, turned into OpenAI's indexed deltas. Pure.

Whole and flat or in pieces, with and without index, id and type, arguments as text or as an object,
ids repeated on every piece, and empty entries that close a call.
"""

from typing import Any

import orjson

from openai_api.wire.exact_json import Exact, as_text, within
from openai_api.wire.ids import tool_call_id

Delta = dict[str, Any]


class _Call:
    __slots__ = ("given_out", "id", "index", "name", "text", "upstream_id", "waiting")

    def __init__(self) -> None:
        self.index = -1  # its index among the calls given out
        self.id = ""
        self.upstream_id: str | None = None
        self.name = ""
        self.text = ""  # all arguments given out so far
        self.waiting = ""  # arguments that came before the name
        self.given_out = False


class ToolCalls:
    """The calls of one choice."""

    __slots__ = ("_by_upstream_index", "_calls", "_only_one")

    def __init__(self, *, only_one: bool = False) -> None:
        # Models that do not know `parallel_tool_calls` make several calls nevertheless: the first
        # is given out.
        self._only_one = only_one
        self._calls: list[_Call] = []
        self._by_upstream_index: dict[int, _Call] = {}

    def __bool__(self) -> bool:
        return any(call.given_out for call in self._calls)

    def take(self, entries: Any, exact: Exact) -> list[Delta]:
        """Deltas of upstream's `tool_calls` list; `exact` has its numbers as text."""
        if not isinstance(entries, list):
            return []
        deltas: list[Delta] = []
        for position, entry in enumerate(entries):
            if isinstance(entry, dict):
                deltas += self._take_one(entry, within(exact, position))
        return deltas

    def _take_one(self, entry: dict[str, Any], exact: Exact) -> list[Delta]:
        function = entry.get("function")
        flat = not isinstance(function, dict)
        source: dict[str, Any] = entry if flat else function  # type: ignore[assignment]
        name = source.get("name")
        name = name if isinstance(name, str) else ""
        key = "arguments" if "arguments" in source or "parameters" not in source else "parameters"
        arguments = source.get(key)
        if arguments is not None and not isinstance(arguments, str):
            tree = exact()
            arguments = as_text((tree if flat else tree["function"]).get(key))
        arguments = arguments or ""
        upstream_id = entry.get("id")
        upstream_id = upstream_id if isinstance(upstream_id, str) and upstream_id else None
        if not name and not arguments and upstream_id is None:
            return []  # an empty entry closes a call
        call = self._call_for(entry.get("index"), name, upstream_id)
        if name and not call.name:
            call.name = name
        if upstream_id and call.upstream_id is None:
            call.upstream_id = upstream_id
        return self._give_out(call, arguments)

    def _call_for(self, index: Any, name: str, upstream_id: str | None) -> _Call:
        if isinstance(index, int) and not isinstance(index, bool):
            call = self._by_upstream_index.get(index)
            if call is not None and not _starts_another(call, name, upstream_id):
                return call
            call = self._new_call()
            self._by_upstream_index[index] = call
            return call
        last = self._calls[-1] if self._calls else None
        if last is None:
            return self._new_call()
        if upstream_id is not None:
            return last if upstream_id == last.upstream_id else self._new_call()
        return self._new_call() if name else last

    def _new_call(self) -> _Call:
        call = _Call()
        self._calls.append(call)
        return call

    def _give_out(self, call: _Call, arguments: str) -> list[Delta]:
        if not call.name:
            call.waiting += arguments
            return []
        if call.given_out:
            if not arguments:
                return []
            call.text += arguments
            return [{"index": call.index, "function": {"arguments": arguments}}]
        if self._only_one and self:
            return []
        call.index = sum(other.given_out for other in self._calls)
        call.given_out = True
        call.id = call.upstream_id or tool_call_id()
        if any(other.id == call.id for other in self._calls if other is not call):
            call.id = tool_call_id()  # two calls of one answer must differ
        call.text = call.waiting + arguments
        return [
            {
                "index": call.index,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.text},
            }
        ]

    def end(self) -> list[Delta]:
        """Calls without any argument get `{}`: clients parse what they get as JSON."""
        deltas = []
        for call in self._calls:
            if call.given_out and not call.text.strip():
                call.text += "{}"
                deltas.append({"index": call.index, "function": {"arguments": "{}"}})
        return deltas

    @property
    def is_cut(self) -> bool:
        """Whether the arguments of a call break off. For the end of an answer."""
        return any(call.given_out and not _is_json(call.text) for call in self._calls)

    def whole(self) -> list[Delta]:
        """The calls in the form that a message has them."""
        return [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.text},
            }
            for call in sorted(self._calls, key=lambda call: call.index)
            if call.given_out
        ]


def _starts_another(call: _Call, name: str, upstream_id: str | None) -> bool:
    """Whether an entry under a used index is a separate call."""
    if upstream_id is not None and call.upstream_id is not None:
        return upstream_id != call.upstream_id and bool(name)
    return False


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
