"""The tools of a Responses request as a model is offered them: each is a function with one name.

A tool of a namespace gets a name made of both, `NAMESPACE__NAME`. A name that is too long, has
other characters than upstream takes, or is another tool's, ends with a hash of both, so it is the
same in every turn of a conversation. Pure.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from openai_api.wire.tool_lists import ToolList

LONGEST_NAME: Final = 64
SEPARATOR: Final = "__"
_HASH_DIGITS: Final = 8
_OTHER_CHARACTERS: Final = re.compile(r"[^A-Za-z0-9_-]")


# Never changed once made, but not frozen: that takes twice as long to make.
@dataclass(slots=True, eq=False)
class OfferedTool:
    """A function or custom tool; `sent_name` is the one that the model sees."""

    sent_name: str
    given: dict[str, Any]
    namespace: str = ""

    @property
    def name(self) -> str:
        return str(self.given["name"])

    @property
    def is_custom(self) -> bool:
        return bool(self.given["type"] == "custom")


@dataclass(slots=True)
class Tools:
    """`shown`: the tools in the caller's form, without those left out, whose types `ignored` has.

    `hosted`: whether the request offered tools that OpenAI runs.
    """

    offered: ToolList[OfferedTool] = field(default_factory=ToolList)
    shown: ToolList[dict[str, Any]] = field(default_factory=ToolList)
    ignored: tuple[str, ...] = ()
    _by_sent_name: dict[str, OfferedTool] = field(default_factory=dict)
    _by_own_name: dict[tuple[str, str], OfferedTool] = field(default_factory=dict)
    # Tools of namespaces by their name alone; None where two have it.
    _by_bare_name: dict[str, OfferedTool | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.offered)

    def add_plain(self, tools: Iterable[dict[str, Any]]) -> None:
        """Adds tools outside of any namespace, which keep their names."""
        for tool in tools:
            self._add(OfferedTool(tool["name"], tool), tool["name"])

    def has(self, name: str, namespace: str = "") -> bool:
        return (namespace, name) in self._by_own_name

    def add_namespace(self, namespace: str, tools: Iterable[dict[str, Any]]) -> None:
        for tool in tools:
            sent = sent_name(namespace, tool["name"])
            if sent in self._by_sent_name:
                sent = _hashed(sent, namespace, tool["name"])
            added = OfferedTool(sent, tool, namespace)
            bare = tool["name"]
            self._add(added, bare)
            self._by_bare_name[bare] = None if bare in self._by_bare_name else added

    def _add(self, tool: OfferedTool, name: str) -> None:
        self.offered.append(tool)
        self._by_sent_name.setdefault(tool.sent_name, tool)
        self._by_own_name.setdefault((tool.namespace, name), tool)

    def called(self, sent: str) -> OfferedTool | None:
        """The tool that a model means by a name; some leave the namespace out."""
        return self._by_sent_name.get(sent) or self._by_bare_name.get(sent)

    def named(self, name: str, namespace: str = "") -> OfferedTool | None:
        """The tool that the caller means by a name."""
        if namespace:
            return self._by_own_name.get((namespace, name))
        return self._by_own_name.get(("", name)) or self.called(name)

    def of_namespace(self, namespace: str) -> list[OfferedTool]:
        return [tool for tool in self.offered if tool.namespace == namespace]

    def sent_name_of(self, name: str, namespace: str) -> str:
        """The name of a call in an earlier turn, also of a tool that is no longer offered."""
        if not namespace:
            return name
        tool = self._by_own_name.get((namespace, name))
        return tool.sent_name if tool is not None else sent_name(namespace, name)


def sent_name(namespace: str, name: str) -> str:
    """The one name that stands for both."""
    joined = f"{namespace}{SEPARATOR}{name}"
    if len(joined) <= LONGEST_NAME and not _OTHER_CHARACTERS.search(joined):
        return joined
    return _hashed(joined, namespace, name)


def _hashed(joined: str, namespace: str, name: str) -> str:
    both = f"{namespace}\0{name}".encode("utf-8", "replace")
    mark = hashlib.blake2b(both, digest_size=_HASH_DIGITS // 2).hexdigest()
    plain = _OTHER_CHARACTERS.sub("_", joined)
    return f"{plain[: LONGEST_NAME - _HASH_DIGITS - 1]}_{mark}"
