"""Workers AI's chat answers, in any form → deltas in OpenAI's form, and what they used. Pure.

One machine for both dialects and both ways of delivery. `take` reads an event of a stream,
`take_whole` an answer that came as one JSON body; `end` gives what is left when upstream has said
all. `answer.py` writes the deltas as chunks or as one object.

Raises UnusableAnswer for an answer that holds nothing, Refused for an error inside the answer,
StreamCut for a stream that stops without an end.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from openai_api.chat_completions.normalise.stops import StopCutter
from openai_api.chat_completions.normalise.thinking import Pieces, ThinkingSplitter
from openai_api.chat_completions.normalise.tool_calls import ToolCalls, leaked_calls
from openai_api.use.usage import Usage, UsageMeter
from openai_api.wire.exact_json import Exact, NumberText, as_text, known, parse_exact, within
from workers_ai.envelope import opened
from workers_ai.errors import (
    ServerFault,
    StreamCut,
    UnusableAnswer,
    first_error,
    refusal,
)
from workers_ai.sse import Event

_FINISH = {
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
# The fields of an event of the older form that says a text and, at most, what was used.
_PLAIN_LEGACY = frozenset({"response", "p", "tool_calls", "usage"})


@dataclass(frozen=True, slots=True)
class Expected:
    """What the request and the model say about the answer to come.

    `thinks_inline`: thoughts may stand in the text between tags; `thinks_unopened`: also without
    the opening tag. `forced_tools`: names of which one had to be called; empty when none was
    forced.
    `max_tokens`: the output limit that was sent. `legacy_functions`: the client speaks `functions`,
    not `tools`.
    """

    model: str
    thinks_inline: bool = False
    thinks_unopened: bool = False
    forced_tools: frozenset[str] = frozenset()
    max_tokens: int | None = None
    legacy_functions: bool = False
    # Sequences to cut the answer at, for models that do not do so themselves.
    stops: tuple[str, ...] = ()


# Where a message stands in the exact tree of its event: the tree, and the path in it.
_At = tuple[Exact, str, int, str]


@dataclass(slots=True)
class Delta:
    """New parts of one choice, in OpenAI's form."""

    choice: int
    parts: dict[str, Any]
    logprobs: Any = None


@dataclass(slots=True)
class _Choice:
    index: int
    calls: ToolCalls = field(default_factory=ToolCalls)
    splitter: ThinkingSplitter | None = None
    held: list[str] | None = None  # text that may be a leaked tool call
    finish: str | None = None
    half_character: str = ""
    cutter: StopCutter | None = None
    stop_met: str = ""


class ChatNormaliser:
    """Reads upstream in any of its forms. After `end`, `usage` and `finish_reasons` are final."""

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self.meter = UsageMeter()
        self.choices: dict[int, _Choice] = {}
        self.finish_reasons: dict[int, str] = {}
        self.characters = 0  # of text given out, to estimate usage where none is reported
        self.done = False
        self.answered = False
        self.cut_short = False  # at the output limit, after `end`
        self._cumulative_text = ""

    @property
    def usage(self) -> Usage:
        return self.meter.total

    @property
    def finish_reason(self) -> str:
        """How the first choice ended, after `end`."""
        return next(iter(self.finish_reasons.values()), "stop")

    @property
    def stop_met(self) -> str:
        """The stop sequence that ended the first choice, where that is known."""
        state = next(iter(self.choices.values()), None)
        if state is None:
            return ""
        return state.cutter.found if state.cutter is not None else state.stop_met

    def take(self, event: Event) -> list[Delta]:
        """Deltas of one event of a stream; none for what says nothing or cannot be read."""
        try:
            body = orjson.loads(event.data)
        except orjson.JSONDecodeError:
            return self._take_unusual(event.name, event.data)
        if not isinstance(body, dict):
            return []
        delta = self._plain_delta(body) if not event.name else None
        if delta is not None:
            return [delta]
        return self._take_body(event.name, body, _lazily_exact(event.data))

    def _plain_delta(self, body: dict[str, Any]) -> Delta | None:
        """What an event says that only adds text or a thought to the first choice, as nearly all
        do; None for any other, which `_take_body` reads. For these both give the same.
        """
        state = self.choices.get(0)
        if state is None or body.get("error") or "success" in body or "streamed_data" in body:
            return None
        choices, thought = body.get("choices"), None
        if not choices:
            if body.get("tool_calls") or not body.keys() <= _PLAIN_LEGACY:
                return None
            text = body.get("response")
        elif isinstance(choices, list) and len(choices) == 1 and isinstance(choices[0], dict):
            choice = choices[0]
            message = choice.get("delta")
            if (
                not isinstance(message, dict)
                or choice.get("index")
                or choice.get("finish_reason")
                or choice.get("logprobs")
                or message.get("tool_calls")
                or message.get("function_call")
                or message.get("refusal")
            ):
                return None
            text, thought = message.get("content"), message.get("reasoning_content")
            if thought is None:
                thought = message.get("reasoning")
        else:
            return None
        if thought is None:
            filtered = state.splitter or state.held is not None or state.cutter
            if filtered or state.half_character or not text or not isinstance(text, str):
                return None
            parts = {"content": text}
        elif thought and isinstance(thought, str) and text in (None, ""):
            state.splitter = None
            parts = {"reasoning_content": thought}
            text = thought
        else:
            return None
        self.characters += len(text)
        self.answered = True
        if body.get("usage") is not None:
            self.meter.take(body["usage"], trailing=False)
        return Delta(0, parts)

    def _take_unusual(self, name: str, data: bytes) -> list[Delta]:
        """Data that the fast parser refuses: an end, several objects glued together, or garbage to
        skip.
        """
        data = data.strip()
        if data.startswith(b"[DONE]"):
            self.done = True
            return []
        deltas: list[Delta] = []
        for document, exact in _documents(data.decode("utf-8", "replace")):
            if document == "[DONE]":
                self.done = True
            elif isinstance(document, dict):
                deltas += self._take_body(name, document, known(exact))
        if not deltas and name == "error":
            raise refusal({"error": data.decode("utf-8", "replace")[:500]}, status=502)
        return deltas

    def _take_body(self, name: str, body: dict[str, Any], exact: Exact) -> list[Delta]:
        if name == "error" or body.get("error") or body.get("success") is False:
            raise in_band_error(body)
        if "success" in body and "result" in body:
            inner = body["result"]
            if not isinstance(inner, dict):
                return []
            body, exact = inner, within(exact, "result")
        batch = body.get("streamed_data")
        if isinstance(batch, list):
            deltas = []
            for position, item in enumerate(batch):
                if isinstance(item, dict):
                    deltas += self._read(item, within(exact, "streamed_data", position))
            return deltas
        return self._read(body, exact)

    def take_whole(self, content: bytes) -> list[Delta]:
        """Deltas of an answer that came as one JSON body, in or out of its envelope."""
        result = opened(_loads(content))
        if isinstance(result, str):
            result = {"response": result}
        if not isinstance(result, dict) or not result:
            raise UnusableAnswer("Workers AI answered with an empty success")
        if result.get("error"):
            raise in_band_error(result)
        self.done = True
        return self._read(result, lambda: opened(parse_exact(content)))

    def _read(self, body: dict[str, Any], exact: Exact) -> list[Delta]:
        deltas: list[Delta] = []
        choices = body.get("choices")
        said_something = True
        if isinstance(choices, list) and choices:
            for position, choice in enumerate(choices):
                if isinstance(choice, dict):
                    deltas += self._read_choice(choice, position, exact)
        else:
            deltas, said_something = self._read_legacy(body, exact)
        usage = body.get("usage")
        if usage is not None:
            self.meter.take(usage, trailing=not said_something)
        return deltas

    def _read_choice(self, choice: dict[str, Any], position: int, exact: Exact) -> list[Delta]:
        """`exact` is the body's: each event passes here, and nearly none asks for it."""
        index = choice.get("index")
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            index = position
        state = self.choices.get(index) or self._new_choice(index)
        deltas: list[Delta] = []
        for name in ("delta", "message"):
            message = choice.get(name)
            if isinstance(message, dict):
                at = (exact, "choices", position, name)
                deltas = self._read_message(state, message, at, choice.get("logprobs"))
                break
        else:
            if choice.get("text") is not None:
                text = self._text(choice["text"], exact, "choices", position, "text")
                deltas = self._content(state, text)
        if choice.get("finish_reason"):
            self._finish(state, choice["finish_reason"])
            # vLLM's and SGLang's name for the stop sequence that was met.
            met = choice.get("stop_reason") or choice.get("matched_stop")
            if isinstance(met, str):
                state.stop_met = met
        return deltas

    def _read_message(
        self, state: _Choice, message: dict[str, Any], at: _At, logprobs: Any
    ) -> list[Delta]:
        deltas: list[Delta] = []
        for name in ("reasoning_content", "reasoning"):
            if message.get(name) is not None:
                reasoning = self._text(message[name], *at, name)
                if reasoning:
                    deltas += self._reasoning(state, reasoning)
                    break
        content = message.get("content")
        if content is not None:
            deltas += self._content(state, self._text(content, *at, "content"))
        entries = message.get("tool_calls")
        if entries:
            deltas += self._calls(state, entries, within(*at, "tool_calls"))
        call = message.get("function_call")
        if isinstance(call, dict) and call.get("name"):
            called = within(*at, "function_call")
            deltas += self._calls(state, [{"index": 0, **call}], lambda: [called()])
        refusal_text = message.get("refusal")
        if isinstance(refusal_text, str) and refusal_text:
            deltas.append(Delta(state.index, {"refusal": refusal_text}))
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list) and deltas:
            deltas[0].logprobs = {"content": logprobs["content"], "refusal": None}
        self.answered = True
        return deltas

    def _read_legacy(self, body: dict[str, Any], exact: Exact) -> tuple[list[Delta], bool]:
        """`{"response": …}` and its relatives; also whether it was more than a usage report."""
        deltas: list[Delta] = []
        text = ""
        for name in ("response", "response_text"):
            if body.get(name) is not None:
                text = self._text(body[name], exact, name)
                self.answered = True
                if text:
                    break
        chunk = body.get("chunk")
        if isinstance(chunk, dict) and isinstance(chunk.get("answer"), str):
            text = self._new_part(chunk["answer"])
        state = self.choices.get(0) or self._new_choice(0)
        reasoning = body.get("reasoning_content") or body.get("reasoning")
        if isinstance(reasoning, str):
            deltas += self._reasoning(state, reasoning)
        deltas += self._content(state, text)
        calls = self._calls(state, body.get("tool_calls"), within(exact, "tool_calls"))
        deltas += calls
        self._finish(state, body.get("finish_reason"))
        if body.get("status") == "succeeded":
            self._finish(state, "stop")
            self.meter.take(body.get("metrics"), trailing=False)
        elif body.get("status") == "failed":
            raise ServerFault("the model failed", status=502)
        if calls:
            self.answered = True
        return deltas, bool(text or deltas)

    def _new_part(self, whole_so_far: str) -> str:
        before, self._cumulative_text = self._cumulative_text, whole_so_far
        self.answered = True
        return whole_so_far.removeprefix(before)

    def _new_choice(self, index: int) -> _Choice:
        state = self.choices[index] = _Choice(index)
        if self.expected.thinks_inline:
            state.splitter = ThinkingSplitter(opened_by_template=self.expected.thinks_unopened)
        if self.expected.forced_tools:
            state.held = []
        if self.expected.stops:
            state.cutter = StopCutter(self.expected.stops)
        return state

    def _text(self, value: Any, exact: Exact, *path: str | int) -> str:
        """Text as the model wrote it, whatever JSON type upstream made of it: `exact` has it at
        `path`.
        """
        if isinstance(value, str):
            return value
        if isinstance(value, list) and value and all(_is_text_part(part) for part in value):
            return "".join(part["text"] for part in value)
        return as_text(within(exact, *path)())

    def _reasoning(self, state: _Choice, text: str) -> list[Delta]:
        if not text:
            return []
        state.splitter = None  # this backend tells thoughts apart itself
        return [Delta(state.index, {"reasoning_content": self._given(text)})]

    def _content(self, state: _Choice, text: str) -> list[Delta]:
        if not text:
            return []
        if state.half_character or "\ud800" <= text[-1] <= "\udbff":
            text = self._whole_characters(state, text)
            if not text:
                return []
        if state.splitter is None:
            return self._plain(state, text)
        pieces = state.splitter.feed(text)
        if state.splitter.is_over:
            state.splitter = None
        return self._pieces(state, pieces)

    def _pieces(self, state: _Choice, pieces: Pieces) -> list[Delta]:
        deltas = []
        for kind, text in pieces:
            if kind == "reasoning":
                deltas.append(Delta(state.index, {"reasoning_content": self._given(text)}))
            else:
                deltas += self._plain(state, text)
        return deltas

    def _plain(self, state: _Choice, text: str) -> list[Delta]:
        if state.held is not None:
            state.held.append(text)
            start = "".join(state.held).lstrip()[:1] if len(state.held) < 4 else "{"
            if start and start not in "{[`":
                return self._release(state)
            return []
        if state.cutter is not None:
            text = state.cutter.feed(text)
        return [Delta(state.index, {"content": self._given(text)})] if text else []

    def _release(self, state: _Choice) -> list[Delta]:
        held, state.held = state.held or [], None
        text = "".join(held)
        return self._plain(state, text) if text else []

    def _given(self, text: str) -> str:
        self.characters += len(text)
        return text

    def _whole_characters(self, state: _Choice, text: str) -> str:
        """A character that upstream split over two events as escapes comes out whole."""
        text, state.half_character = state.half_character + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, state.half_character = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _calls(self, state: _Choice, entries: Any, exact: Exact) -> list[Delta]:
        if not entries:
            return []
        deltas = []
        for part in state.calls.take(entries, exact):
            self.characters += len(part["function"].get("arguments", ""))
            deltas.append(Delta(state.index, {"tool_calls": [part]}))
        return deltas

    def _finish(self, state: _Choice, reason: Any) -> None:
        if isinstance(reason, str) and reason:
            state.finish = reason
            self.answered = True

    def end(self) -> list[Delta]:
        """The last deltas, once upstream has said all it will say.

        Raises UnusableAnswer when it said nothing, StreamCut when it stopped without an end,
        ServerFault when it ended with an error.
        """
        if not self.answered:
            if self.done:
                raise UnusableAnswer("Workers AI answered with an empty success")
            raise StreamCut("Workers AI ended the stream without an answer")
        if not self.done and not any(state.finish for state in self.choices.values()):
            raise StreamCut("Workers AI ended the stream without saying that it was complete")
        deltas: list[Delta] = []
        for index, state in sorted(self.choices.items()):
            reason = self._finish_reason(state)
            self.cut_short = self.cut_short or reason == "length"
            deltas += self._end_choice(state, truncated=reason == "length")
            self.finish_reasons[index] = "tool_calls" if state.calls else reason
        return deltas

    def _finish_reason(self, state: _Choice) -> str:
        if state.cutter is not None and state.cutter.cut:
            return "stop"
        if state.finish is None:
            limit, used = self.expected.max_tokens, self.usage.completion_tokens
            # Old backends cut an answer at the limit without a word.
            return "length" if limit and used and used >= limit else "stop"
        finish = state.finish.lower()
        if finish == "error":
            raise ServerFault("the model stopped with an error", status=502)
        return _FINISH.get(finish, "stop")

    def _end_choice(self, state: _Choice, *, truncated: bool) -> list[Delta]:
        deltas: list[Delta] = []
        if state.half_character:
            state.half_character = ""
            deltas += self._content(state, "\N{REPLACEMENT CHARACTER}")
        if state.splitter is not None:
            deltas += self._pieces(state, state.splitter.end(truncated=truncated))
        if state.held is not None:
            text = "".join(state.held)
            calls = None if state.calls else leaked_calls(text, self.expected.forced_tools)
            if calls:
                state.held = None
                deltas += self._calls(state, calls, known(calls))
            else:
                deltas += self._release(state)
        if state.cutter is not None:
            rest = state.cutter.end()
            deltas += [Delta(state.index, {"content": self._given(rest)})] if rest else []
        deltas += [Delta(state.index, {"tool_calls": [part]}) for part in state.calls.end()]
        return deltas


def _loads(content: bytes) -> Any:
    """A whole body; half characters and NaN, which orjson refuses, are no reason to lose it."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise UnusableAnswer("Workers AI answered with something that is not JSON") from None


def _lazily_exact(data: bytes) -> Exact:
    """The same event with number texts, parsed only if it is asked for, and once."""
    tree: list[Any] = []

    def exact() -> Any:
        if not tree:
            tree.append(parse_exact(data))
        return tree[0]

    return exact


_PLAIN = json.JSONDecoder()
_EXACT = json.JSONDecoder(parse_int=NumberText, parse_float=NumberText, parse_constant=NumberText)


def _documents(text: str) -> Iterator[tuple[Any, Any]]:
    """The JSON documents in the data of one event, each also with number texts; garbage is left
    out.

    Events that upstream glued together stand here as `{…}data: {…}` or one a line.
    """
    position = 0
    while position < len(text):
        if text.startswith("data:", position):
            position += 5
        elif text[position].isspace():
            position += 1
        elif text.startswith("[DONE]", position):
            yield "[DONE]", None
            position += 6
        else:
            try:
                plain, end = _PLAIN.raw_decode(text, position)
                exact, _ = _EXACT.raw_decode(text, position)
                yield plain, exact
                position = end
            except (ValueError, RecursionError):
                following = text.find("data:", position + 1)
                if following < 0:
                    return
                position = following


def _is_text_part(part: Any) -> bool:
    return (
        isinstance(part, dict)
        and part.get("type") in ("text", "output_text")
        and isinstance(part.get("text"), str)
    )


def in_band_error(body: dict[str, Any]) -> Exception:
    """An error that upstream sent where an answer belongs."""
    code, _ = first_error(body)
    status = code if code is not None and 400 <= code <= 599 else 502
    return refusal(body, status=status)
