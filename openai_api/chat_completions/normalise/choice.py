"""One choice of an answer: its text, thoughts and tool calls, until it is known what they are.
Pure.
"""

from typing import Any

from openai_api.chat_completions.normalise.expected import Expected
from openai_api.chat_completions.normalise.fence import Unfencer
from openai_api.chat_completions.normalise.leaked_calls import (
    is_plain_call,
    leaked_calls,
    may_become_call,
)
from openai_api.chat_completions.normalise.stops import StopCutter
from openai_api.chat_completions.normalise.thinking import Pieces, ThinkingSplitter
from openai_api.chat_completions.normalise.tool_calls import ToolCalls
from openai_api.wire.exact_json import Exact, known
from workers_ai.errors import ServerFault

_FINISH = {
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
# The server gave the answer up: what came of it is not whole.
_GIVEN_UP = frozenset({"error", "abort", "aborted", "cancelled"})

# Pieces of a text after which its beginning is certainly known.
LOOKED_AT_PIECES = 32


# New parts of one choice, in OpenAI's form: its index, the parts, their logprobs or None. A tuple,
# as sse.Event is.
Delta = tuple[int, dict[str, Any], Any]


class Choice:
    """One choice while its answer arrives. `characters` counts the text given out, to estimate
    usage where upstream reports none, and `thought_characters` those of thoughts.
    """

    __slots__ = (
        "calls",
        "characters",
        "cutter",
        "expected",
        "fence",
        "finish",
        "half_character",
        "held",
        "index",
        "splitter",
        "stop_met",
        "thought_characters",
    )

    def __init__(self, index: int, expected: Expected) -> None:
        self.index = index
        self.expected = expected
        # None where the answer has none, as most have.
        self.calls: ToolCalls | None = None
        self.characters = 0
        self.thought_characters = 0
        self.finish: str | None = None  # in upstream's words
        self.stop_met = ""
        self.half_character = ""
        # What may hold text back before it is given out; None where nothing does.
        self.splitter = (
            ThinkingSplitter(opened_by_template=expected.thinks_unopened)
            if expected.thinks_inline
            else None
        )
        holds = expected.forced_tools or expected.offered_tools
        self.held: list[str] | None = [] if holds else None
        self.fence = Unfencer() if expected.in_json else None
        self.cutter = StopCutter(expected.stops) if expected.stops else None

    def reasoning(self, text: str) -> list[Delta]:
        """A thought that upstream sends apart from the answer's text."""
        if not text:
            return []
        self.splitter = None  # so the text holds none
        return [self._thought(text)]

    def content(self, text: str) -> list[Delta]:
        """Text of the answer, which may contain thoughts and tool calls."""
        if not text:
            return []
        if self.half_character or "\ud800" <= text[-1] <= "\udbff":
            text = self._whole_characters(text)
            if not text:
                return []
        if self.splitter is None:
            return self._plain(text)
        pieces = self.splitter.feed(text)
        if self.splitter.is_over:
            self.splitter = None
        return self._pieces(pieces)

    def _pieces(self, pieces: Pieces) -> list[Delta]:
        deltas: list[Delta] = []
        for kind, text in pieces:
            if kind == "reasoning":
                deltas.append(self._thought(text))
            else:
                deltas += self._plain(text)
        return deltas

    def _plain(self, text: str) -> list[Delta]:
        if self.held is not None:
            self.held.append(text)
            return [] if self._may_hold_call() else self._release()
        if self.fence is not None:
            text = self.fence.feed(text)
            if self.fence.is_over:
                self.fence = None
        return self._cut(text)

    def _cut(self, text: str) -> list[Delta]:
        if self.cutter is not None:
            text = self.cutter.feed(text)
        if not text:
            return []
        self.characters += len(text)
        return [(self.index, {"content": text}, None)]

    def _may_hold_call(self) -> bool:
        """Whether the text held back may still be a call. Looked at only while it is short."""
        assert self.held is not None
        if len(self.held) > LOOKED_AT_PIECES:
            return True
        begun = "".join(self.held)
        if self.expected.forced_tools:
            start = begun.lstrip()[:1]
            return not start or start in "{[`"
        return may_become_call(begun, self.expected.offered_tools)

    def _leaked(self, text: str) -> list[dict[str, Any]] | None:
        if self.calls:
            return None
        if self.expected.forced_tools:
            return leaked_calls(text, self.expected.forced_tools)
        return leaked_calls(text, self.expected.offered_tools) if is_plain_call(text) else None

    def _release(self) -> list[Delta]:
        held, self.held = self.held or [], None
        text = "".join(held)
        return self._plain(text) if text else []

    def _thought(self, text: str) -> Delta:
        self.thought_characters += len(text)
        self.characters += len(text)
        return self.index, {"reasoning_content": text}, None

    def _whole_characters(self, text: str) -> str:
        """Joins a surrogate pair that upstream split over two events."""
        text, self.half_character = self.half_character + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self.half_character = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def take_calls(self, entries: Any, exact: Exact) -> list[Delta]:
        """Takes upstream's `tool_calls` list; `exact` has its numbers as text."""
        if not entries:
            return []
        calls = self.calls
        if calls is None:
            offered = self.expected.offered_tools | self.expected.forced_tools
            calls = self.calls = ToolCalls(only_one=self.expected.one_call, offered=offered)
        return self._of_calls(calls.take(entries, exact))

    def _of_calls(self, parts: list[dict[str, Any]]) -> list[Delta]:
        deltas: list[Delta] = []
        for part in parts:
            self.characters += len(part["function"].get("arguments", ""))
            deltas.append((self.index, {"tool_calls": [part]}, None))
        return deltas

    def finish_reason(self, completion_tokens: int | None) -> str:
        """How the text ended, in OpenAI's words; raises ServerFault where it ended with an error.

        `completion_tokens`: how many upstream counted, if it did.
        """
        if self.cutter is not None and self.cutter.cut:
            return "stop"
        if self.finish is None:
            limit, used = self.expected.max_tokens, completion_tokens
            # Old backends cut an answer at the limit without saying so.
            return "length" if limit and used and used >= limit else "stop"
        finish = self.finish.lower()
        if finish in _GIVEN_UP:
            raise ServerFault("the model stopped with an error", status=502)
        return _FINISH.get(finish, "stop")

    def end(self, *, truncated: bool) -> list[Delta]:
        """The rest, once no text will follow; `truncated`: the output limit cut the answer."""
        deltas: list[Delta] = []
        if self.half_character:
            self.half_character = ""
            deltas += self.content("\N{REPLACEMENT CHARACTER}")
        if self.splitter is not None:
            deltas += self._pieces(self.splitter.end(truncated=truncated))
        if self.held is not None:
            text = "".join(self.held)
            calls = self._leaked(text)
            if calls:
                self.held = None
                deltas += self.take_calls(calls, known(calls))
            else:
                deltas += self._release()
        if self.fence is not None:
            deltas += self._cut(self.fence.end())
        if self.cutter is not None:
            rest = self.cutter.end()
            self.characters += len(rest)
            deltas += [(self.index, {"content": rest}, None)] if rest else []
        if self.calls is not None:
            deltas += self._of_calls(self.calls.end())
        return deltas
