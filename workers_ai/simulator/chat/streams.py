"""A finished answer as the events of each dialect. Pure; `paced` alone takes time.

The quirks here are those of every answer. Rarer ones are scenarios.
"""

import random
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from workers_ai.simulator.chat.answers import ToolCall
from workers_ai.simulator.models.families import Family
from workers_ai.simulator.pacing import FIRST_TOKEN_SECONDS, TOKEN_SECONDS, Pace

DONE = b"data: [DONE]\n\n"


@dataclass
class Generated:
    """An answer cut into tokens, as it will be sent."""

    model: str
    family: Family
    content: list[str]
    usage: dict[str, Any]
    reasoning: list[str] = field(default_factory=list)
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    index: int = 0
    turn: int = 0
    json_mode: bool = False
    top_logprobs: int | None = None  # None where no log probabilities are asked for

    def logprobs(self, tokens: list[str]) -> dict[str, Any] | None:
        """Log probabilities of some of the answer's tokens, with as many others as asked for."""
        if self.top_logprobs is None or not tokens:
            return None
        return {"content": [_logprob(token, self.top_logprobs) for token in tokens]}

    @property
    def text(self) -> str:
        return "".join(self.content)

    @property
    def shown_model(self) -> str:
        return self.model + self.family.model_suffix

    def call_ids(self) -> list[str]:
        """Ids of the tool calls; Kimi's count from 0 in every turn, and so collide."""
        if self.family.tool_call_ids == "kimi":
            return [f"functions.{call.name}:{n}" for n, call in enumerate(self.tool_calls)]
        return [f"chatcmpl-tool-{uuid.uuid4().hex}" for _ in self.tool_calls]


def _logprob(token: str, others: int) -> dict[str, Any]:
    def of(text: str, logprob: float) -> dict[str, Any]:
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    alike = [of(token, -0.1), *(of(f"{token}{n}", -2.0 - n) for n in range(1, others))]
    return {**of(token, -0.1), "top_logprobs": alike[:others]}


class Step(NamedTuple):
    """An event, and the number of tokens that the model had to make for it."""

    data: bytes
    tokens: int = 0


def event(data: Any) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def padding() -> str:
    """Random text of random length, which hides the length of tokens from eavesdroppers."""
    return "abdefghijklmnopqrstuvwxyz0123456789"[: random.randrange(2, 34)]


def as_scalar(token: str) -> Any:
    """A token that reads as a JSON number, true, false or null is sent as that, unquoted."""
    if token in ("true", "false", "null"):
        return orjson.loads(token)
    if token.isascii() and token.isdigit() and not (len(token) > 1 and token[0] == "0"):
        return int(token)
    return token


async def paced(steps: Iterable[Step], pace: Pace) -> AsyncIterator[bytes]:
    """The events one by one, each at the time at which the model would have made it."""
    await pace.wait(FIRST_TOKEN_SECONDS)
    for step in steps:
        if step.tokens:
            await pace.wait(step.tokens * TOKEN_SECONDS)
        yield step.data


def legacy_steps(made: Generated) -> Iterator[Step]:
    """`{"response": …}` events: no id, no model, no finish_reason."""
    pieces = [made.text] if made.json_mode else made.content
    for token in pieces:
        yield Step(event({"response": as_scalar(token), "p": padding()}), 1)
    for call in made.tool_calls:
        flat = {"name": call.name, "arguments": call.arguments}
        yield Step(event({"response": "", "tool_calls": [flat], "p": padding()}), 8)
    yield Step(event({"response": "", "usage": made.usage}))
    yield Step(DONE)


def incremental_steps(made: Generated) -> Iterator[Step]:
    """OpenAI's chunks with usage per chunk that adds up, then the legacy total without choices."""
    created = int(time.time())
    head = {
        "id": f"id-{int(time.time() * 1000)}",
        "created": created,
        "model": made.model,
        "object": "chat.completion.chunk",
    }
    left = made.usage["completion_tokens"]
    first = min(1, left - len(made.content) - len(made.reasoning))

    def chunk(delta: dict[str, Any], tokens: int, prompt: int = 0, finish: str = "") -> Step:
        choice: dict[str, Any] = {"index": 0, "delta": delta}
        if finish:
            choice["finish_reason"] = finish
        share = made.usage["neurons"] * tokens / max(1, left)
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": tokens,
            "total_tokens": prompt + tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "neurons": round(share, 4),
        }
        return Step(event({**head, "choices": [choice], "usage": usage}), tokens)

    prompt_tokens = made.usage["prompt_tokens"]
    yield chunk({"role": "assistant", "content": ""}, max(0, first), prompt_tokens)
    for token in made.reasoning:
        yield chunk({made.family.reasoning_field: token}, 1)
    for token in [made.text] if made.json_mode and made.content else made.content:
        yield chunk({"content": as_scalar(token)}, 1)
    for position, (call, call_id) in enumerate(zip(made.tool_calls, made.call_ids(), strict=True)):
        function = {"name": call.name, "arguments": call.text}
        whole = {"id": call_id, "type": "function", "index": position, "function": function}
        yield chunk({"tool_calls": [whole]}, 1)
    # This backend says "stop" after tool calls too.
    finish = "length" if made.finish_reason == "length" else "stop"
    yield chunk({}, 0, finish=finish)
    yield Step(event({"response": "", "usage": made.usage}))
    yield Step(DONE)


def server_steps(all_made: list[Generated], include_usage: bool) -> Iterator[Step]:
    """Chunks of vLLM and SGLang: OpenAI's format, each with its own extras."""
    made = all_made[0]
    sglang = made.family.dialect == "sglang"
    head = {
        "id": uuid.uuid4().hex[:6] if sglang else f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": made.shown_model,
    }
    for one in all_made:
        yield from _choice_steps(one, head, sglang, include_usage)
    if include_usage or sglang:
        yield Step(event({**head, "choices": [], "p": padding(), "usage": made.usage}))
    if include_usage:
        yield Step(event({"response": "", "usage": made.usage}))
    yield Step(DONE)


def _choice_steps(
    made: Generated, head: dict[str, Any], sglang: bool, include_usage: bool
) -> Iterator[Step]:
    sent = 0

    def chunk(
        delta: dict[str, Any],
        tokens: int = 1,
        finish: str | None = None,
        stop: int | None = None,
        said: str = "",
    ) -> Step:
        nonlocal sent
        sent += tokens
        choice = {
            "index": made.index,
            "delta": delta,
            "finish_reason": finish,
            "logprobs": made.logprobs([said] if said else []),
        }
        body: dict[str, Any] = {**head, "choices": [choice]}
        if sglang:
            choice["matched_stop"] = stop
        elif include_usage:
            prompt = made.usage["prompt_tokens"]
            body["usage"] = {
                "prompt_tokens": prompt,
                "completion_tokens": sent,
                "total_tokens": prompt + sent,
            }
        return Step(event(body), tokens)

    field_name = made.family.reasoning_field
    opener: dict[str, Any] = {"role": "assistant", "content": ""}
    if sglang:
        opener["reasoning_content"] = None
    yield chunk(opener, 0)
    for token in made.reasoning:
        yield chunk({field_name: token})
    for token in made.content:
        yield chunk({"content": token}, said=token)
    for position, (call, call_id) in enumerate(zip(made.tool_calls, made.call_ids(), strict=True)):
        opening = {"name": call.name, "arguments": ""}
        start = {"index": position, "id": call_id, "type": "function", "function": opening}
        yield chunk({"content": None, "tool_calls": [start]} if sglang else {"tool_calls": [start]})
        for piece in _fragments(call.text):
            yield chunk({"tool_calls": [{"index": position, "function": {"arguments": piece}}]})
    ending = {"reasoning_content": None} if sglang else {}
    stopped_at = 106 if made.finish_reason == "stop" else None
    yield chunk(ending, 0, made.finish_reason, stopped_at)


def _fragments(text: str, size: int = 7) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def steps_of(
    all_made: list[Generated], include_usage: bool, legacy: bool = False
) -> Iterator[Step]:
    """The events of an answer in its backend's dialect, or in the legacy one of `/ai/run`."""
    dialect = all_made[0].family.dialect
    if legacy or dialect == "legacy":
        return legacy_steps(all_made[0])
    if dialect == "incremental":
        return incremental_steps(all_made[0])
    return server_steps(all_made, include_usage)
