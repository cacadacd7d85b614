"""Tool calls in all the forms upstream sends, turned into OpenAI's indexed deltas. Pure.

Whole and flat or in pieces, with and without index, id and type, arguments as text, as an object,
as JSON in JSON, as null or after an empty object, ids repeated on every piece or shared by several
calls, names with the model's own tokens around them, and empty entries that close a call.
"""

from typing import Any

import orjson

from openai_api.wire.exact_json import Exact, as_text, within
from openai_api.wire.ids import tool_call_id

Delta = dict[str, Any]

_ARGUMENTS = ("arguments", "parameters", "input")
# gpt-oss's own words around the name of a tool, where its server did not take them off.
_NAMESPACE, _TOKEN = "functions.", "<|"


class _Call:
    __slots__ = (
        *("given_out", "held", "id", "index", "is_empty", "name", "text", "upstream_id"),
        "waiting",
    )

    def __init__(self) -> None:
        self.index = -1  # its index among the calls given out
        self.id = ""
        self.upstream_id: str | None = None
        self.name = ""
        self.text = ""  # all arguments given out so far
        self.waiting = ""  # arguments that came before the name
        # Arguments that do not begin as an object: read once they are whole; None for others.
        self.held: list[str] | None = None
        # Whether they are an empty object as yet, which some servers send before the real one.
        self.is_empty = False
        self.given_out = False

    @property
    def so_far(self) -> str:
        return self.text or ("{}" if self.is_empty else "")


class ToolCalls:
    """The calls of one choice."""

    __slots__ = ("_by_upstream_id", "_by_upstream_index", "_calls", "_offered", "_only_one")

    def __init__(self, *, only_one: bool = False, offered: frozenset[str] = frozenset()) -> None:
        # Models that do not know `parallel_tool_calls` make several calls nevertheless: the first
        # is given out.
        self._only_one = only_one
        # Names of the tools that may be called; empty where they are not known.
        self._offered = offered
        self._calls: list[_Call] = []
        self._by_upstream_index: dict[int, _Call] = {}
        self._by_upstream_id: dict[str, _Call] = {}

    def __bool__(self) -> bool:
        return any(call.given_out for call in self._calls)

    def take(self, entries: Any, exact: Exact) -> list[Delta]:
        """Deltas of upstream's `tool_calls` list; `exact` has its numbers as text."""
        if isinstance(entries, dict):
            one = exact
            entries, exact = [entries], lambda: [one()]
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
        key = next((known for known in _ARGUMENTS if known in source), "arguments")
        arguments = source.get(key)
        if arguments is not None and not isinstance(arguments, str):
            tree = exact()
            arguments = as_text((tree if flat else tree["function"]).get(key))
        arguments = arguments or ""
        upstream_id = entry.get("id")
        upstream_id = upstream_id if isinstance(upstream_id, str) and upstream_id else None
        if not name and not arguments and upstream_id is None:
            return []  # an empty entry closes a call
        call = self._call_for(entry.get("index"), name, upstream_id, arguments)
        if name and not call.given_out:
            # Some servers send a name in pieces, and others a whole one again.
            call.name = name if name == call.name else call.name + name
        if upstream_id and call.upstream_id is None:
            call.upstream_id = upstream_id
            self._by_upstream_id[upstream_id] = call
        return self._give_out(call, arguments)

    def _call_for(self, index: Any, name: str, upstream_id: str | None, arguments: str) -> _Call:
        if isinstance(index, int) and not isinstance(index, bool):
            call = self._by_upstream_index.get(index)
            if call is not None and not _starts_another(call, name, upstream_id, arguments):
                return call
            call = self._new_call()
            self._by_upstream_index[index] = call
            return call
        last = self._calls[-1] if self._calls else None
        if last is None:
            return self._new_call()
        if upstream_id is not None:
            known = self._by_upstream_id.get(upstream_id)
            if known is None or _follows_whole(known, name, arguments):
                self._by_upstream_id.pop(upstream_id, None)
                return self._new_call()
            return known
        return self._new_call() if name else last

    def _new_call(self) -> _Call:
        call = _Call()
        self._calls.append(call)
        return call

    def _give_out(self, call: _Call, arguments: str) -> list[Delta]:
        if call.given_out:
            more = _written(call, arguments)
            return [{"index": call.index, "function": {"arguments": more}}] if more else []
        if not call.name or (not arguments and self._may_be_a_piece(call.name)):
            call.waiting += arguments
            return []
        if self._only_one and self:
            return []
        call.name = self._offered_name(call.name)
        call.index = sum(other.given_out for other in self._calls)
        call.given_out = True
        call.id = call.upstream_id or tool_call_id()
        if any(other.id == call.id for other in self._calls if other is not call):
            call.id = tool_call_id()  # two calls of one answer must differ
        return [
            {
                "index": call.index,
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": _written(call, call.waiting + arguments),
                },
            }
        ]

    def _may_be_a_piece(self, name: str) -> bool:
        """Whether a name without arguments yet is the beginning of a tool's, and none itself."""
        if name in self._offered:
            return False
        return any(offered.startswith(name) for offered in self._offered)

    def _offered_name(self, name: str) -> str:
        """The tool that the model meant by a name; the name itself where it is none of them."""
        if name in self._offered:
            return name
        plain = name.partition(_TOKEN)[0].strip().removeprefix(_NAMESPACE)
        return plain if plain in self._offered else name

    def end(self) -> list[Delta]:
        """What was held back. Calls without any argument get `{}`: clients parse what they get as
        JSON.
        """
        deltas = []
        for call in self._calls:
            if not call.given_out and call.name:
                deltas += self._give_out(call, "{}")
            if not call.given_out:
                continue
            rest = ""
            if call.held is not None:
                rest = _as_object("".join(call.held))
            elif not call.text.strip():
                rest = "{}"
            if rest:
                call.text += rest
                deltas.append({"index": call.index, "function": {"arguments": rest}})
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


def _starts_another(call: _Call, name: str, upstream_id: str | None, arguments: str) -> bool:
    """Whether an entry under a used index is a separate call."""
    if upstream_id is not None and call.upstream_id is not None and upstream_id != call.upstream_id:
        return bool(name)
    return _follows_whole(call, name, arguments)


def _follows_whole(call: _Call, name: str, arguments: str) -> bool:
    """Whether an entry with a name begins its arguments where those of `call` are complete, so
    that it is a call of its own under an index or an id that was used before.
    """
    return (
        bool(name)
        and arguments.lstrip()[:1] == "{"
        and call.so_far.rstrip()[-1:] == "}"
        and _is_json(call.so_far)
    )


def _written(call: _Call, arguments: str) -> str:
    """What of the next arguments is given out now."""
    if call.held is None and not call.text.strip():
        arguments = _begun(call, arguments)
    if call.held is not None:
        call.held.append(arguments)
        return ""
    call.text += arguments
    return arguments


def _begun(call: _Call, arguments: str) -> str:
    """The first of the arguments, without the empty object that stands for those to come."""
    start = arguments.lstrip()
    if start.startswith("{}"):
        call.is_empty = True
        arguments = start = start[2:].lstrip()
    if start and not start.startswith("{"):
        call.held = []
    return arguments


def _as_object(text: str) -> str:
    """The object in arguments that are JSON in JSON, or in a fence of Markdown, and an empty one
    for null; any other text as it is.
    """
    inner = text.strip().removeprefix("```json").strip("`")
    try:
        read = orjson.loads(inner)
        if isinstance(read, str):
            inner, read = read, orjson.loads(read)
    except orjson.JSONDecodeError:
        return text
    if read is None or read == []:
        return "{}"
    return inner.strip() if isinstance(read, dict) else text


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
