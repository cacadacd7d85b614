"""Workers AI's chat answers, in any form → deltas in OpenAI's form, and usage. Pure.

One class for both of upstream's dialects and both ways of delivery. `take` reads an event of a
stream, `take_whole` an answer that came as one JSON body; `end` gives the rest when upstream has
ended. `answer.py` writes the deltas as chunks or as one object.

Raises UnusableAnswer for an answer that holds nothing, Refused for an error inside the answer,
StreamCut for a stream that stops without an end.
"""

from typing import Any

import orjson

from openai_api.chat_completions.normalise.choice import Choice, Delta
from openai_api.chat_completions.normalise.documents import documents, lazily_exact, loads
from openai_api.chat_completions.normalise.expected import Expected
from openai_api.chat_completions.normalise.fast_path import plain_delta
from openai_api.chat_completions.normalise.logprobs import logprobs_of
from openai_api.chat_completions.normalise.thought_parts import without_thoughts
from openai_api.use.usage import Usage, UsageMeter
from openai_api.wire.exact_json import Exact, as_text, known, parse_exact, within
from workers_ai.envelope import is_failure, opened
from workers_ai.errors import ServerFault, StreamCut, UnusableAnswer
from workers_ai.failures.reader import refusal
from workers_ai.sse import Event, EventDecoder, looks_like_events

# Where a message is in its event with numbers as text: that event, and the path in it.
_At = tuple[Exact, str, int, str]


class ChatNormaliser:
    """Reads an answer in any of upstream's forms. After `end`, `usage` and `finish_reasons` are
    final.
    """

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self.meter = UsageMeter()
        self.choices: dict[int, Choice] = {}
        self.finish_reasons: dict[int, str] = {}
        self.done = False
        self.answered = False
        self.cut_short = False  # whether the output limit ended the answer; known after `end`
        self._cumulative_text = ""

    @property
    def usage(self) -> Usage:
        return self.meter.total

    @property
    def characters(self) -> int:
        """Characters of the text given out, to estimate usage where upstream reports none."""
        total = 0
        for choice in self.choices.values():
            total += choice.characters
        return total

    @property
    def thought_characters(self) -> int:
        """Those of the thoughts among them."""
        total = 0
        for choice in self.choices.values():
            total += choice.thought_characters
        return total

    @property
    def finished(self) -> bool:
        """Whether upstream has said of all choices how they ended."""
        return bool(self.choices) and all(state.finish for state in self.choices.values())

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
        """Deltas of one event of a stream; none for an event without content or one that cannot be
        read.
        """
        name, data = event
        try:
            body = orjson.loads(data)
        except orjson.JSONDecodeError:
            return self._take_unusual(name, data)
        if not isinstance(body, dict):
            return []
        first = self.choices.get(0)
        delta = plain_delta(first, body) if first is not None and not name else None
        if delta is not None:
            self.answered = True
            if body.get("usage") is not None:
                self.meter.take(body["usage"], trailing=False)
            return [delta]
        return self._take_body(name, body, lazily_exact(data))

    def _take_unusual(self, name: str, data: bytes) -> list[Delta]:
        """Data that orjson refuses: an end, several events in one, or garbage, which is skipped."""
        data = data.strip()
        if data.startswith(b"[DONE]"):
            self.done = True
            return []
        deltas: list[Delta] = []
        for document, exact in documents(data.decode("utf-8", "replace")):
            if document == "[DONE]":
                self.done = True
            elif isinstance(document, dict):
                deltas += self._take_body(name, document, known(exact))
        if not deltas and name == "error":
            raise refusal({"error": data.decode("utf-8", "replace")[:500]}, status=502)
        return deltas

    def _take_body(self, name: str, body: dict[str, Any], exact: Exact) -> list[Delta]:
        if name == "error" or is_failure(body):
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
        """Deltas of an answer that came as one JSON body, in or out of its envelope, or as events
        under another content type.
        """
        if looks_like_events(content):
            decoder = EventDecoder()
            events = decoder.feed(content) + decoder.close()
            return [delta for event in events for delta in self.take(event)]
        result = opened(loads(content))
        if isinstance(result, str):
            result = {"response": result}
        if not isinstance(result, dict) or not result:
            raise UnusableAnswer("Workers AI answered with an empty success")
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
        """`exact` is that of the whole event: each event passes here, and nearly none needs it."""
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
                deltas = state.content(text)
        if choice.get("finish_reason"):
            self._finish(state, choice["finish_reason"])
            # vLLM's and SGLang's name for the stop sequence that was met.
            met = choice.get("stop_reason") or choice.get("matched_stop")
            if isinstance(met, str):
                state.stop_met = met
        return deltas

    def _read_message(
        self, state: Choice, message: dict[str, Any], at: _At, logprobs: Any
    ) -> list[Delta]:
        deltas: list[Delta] = []
        for name in ("reasoning_content", "reasoning"):
            if message.get(name) is not None:
                reasoning = self._text(message[name], *at, name)
                if reasoning:
                    deltas += state.reasoning(reasoning)
                    break
        content = message.get("content")
        if isinstance(content, str):
            deltas += state.content(content)
        elif isinstance(content, list) and not self.expected.in_json:
            deltas += self._read_parts(state, content, at)
        elif content is not None:
            deltas += state.content(self._text(content, *at, "content"))
        entries = message.get("tool_calls")
        if entries:
            deltas += state.take_calls(entries, within(*at, "tool_calls"))
        call = message.get("function_call")
        if isinstance(call, dict):
            called = within(*at, "function_call")
            deltas += state.take_calls([{"index": 0, **call}], lambda: [called()])
        refusal_text = message.get("refusal")
        if isinstance(refusal_text, str) and refusal_text:
            deltas.append((state.index, {"refusal": refusal_text}, None))
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list) and deltas:
            told = {"content": logprobs_of(logprobs["content"]), "refusal": None}
            deltas[0] = (*deltas[0][:2], told)
        self.answered = True
        return deltas

    def _read_parts(self, state: Choice, parts: list[Any], at: _At) -> list[Delta]:
        """Content in parts, some of which may be thoughts."""
        thoughts, others = without_thoughts(parts)
        if not thoughts:
            return state.content(self._text(parts, *at, "content"))
        text = self._text(others, known({"content": others}), "content")
        return state.reasoning(thoughts) + state.content(text)

    def _read_legacy(self, body: dict[str, Any], exact: Exact) -> tuple[list[Delta], bool]:
        """Reads `{"response": …}` and related forms; also tells whether it was more than usage."""
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
            deltas += state.reasoning(reasoning)
        deltas += state.content(text)
        calls = state.take_calls(body.get("tool_calls"), within(exact, "tool_calls"))
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

    def _new_choice(self, index: int) -> Choice:
        choice = self.choices[index] = Choice(index, self.expected)
        return choice

    def _text(self, value: Any, exact: Exact, *path: str | int) -> str:
        """Text as the model wrote it, whatever JSON type upstream made of it; `exact` has it at
        `path`.
        """
        if isinstance(value, str):
            return value
        in_parts = isinstance(value, list) and path[-1] == "content" and all(map(_is_text, value))
        # A list of texts may be the very answer that was asked for in JSON.
        if in_parts and not (self.expected.in_json and any(isinstance(p, str) for p in value)):
            return "".join(part if isinstance(part, str) else part["text"] for part in value)
        return as_text(within(exact, *path)())

    def _finish(self, state: Choice, reason: Any) -> None:
        if isinstance(reason, str) and reason:
            state.finish = reason
            self.answered = True

    def end(self) -> list[Delta]:
        """The last deltas, once upstream has ended.

        Raises UnusableAnswer when it sent nothing, StreamCut when it stopped without an end,
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
            used = self.usage.completion_tokens if state.finish is None else None
            reason = state.finish_reason(used)
            self.cut_short = self.cut_short or reason == "length"
            deltas += state.end(truncated=reason == "length")
            # A call that the limit cut off is told from a bad one by nothing else; a whole one can
            # be run.
            calls = state.calls
            if calls and not (reason == "length" and calls.is_cut):
                reason = "tool_calls"
            self.finish_reasons[index] = reason
        return deltas


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (
        isinstance(part, dict)
        and part.get("type") in ("text", "output_text")
        and isinstance(part.get("text"), str)
    )


def read_whole(content: bytes, expected: Expected) -> tuple[ChatNormaliser, list[Delta]]:
    """All deltas of an answer that came as one JSON body. Raises what its methods raise."""
    normaliser = ChatNormaliser(expected)
    deltas = normaliser.take_whole(content)
    deltas += normaliser.end()
    return normaliser, deltas


def in_band_error(body: dict[str, Any]) -> Exception:
    """An error that upstream sent where an answer belongs."""
    return refusal(body, status=200)
