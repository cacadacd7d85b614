"""Making a chat answer: within its token limit, with its thoughts, and with what it used."""

from dataclasses import replace
from typing import Any

import orjson

from workers_ai.simulator.calls import Call
from workers_ai.simulator.chat.answers import Thought, ToolCall, answer
from workers_ai.simulator.chat.request import (
    asked,
    conversation,
    count_prompt,
    pictures_in,
    require_acceptable,
    require_room,
    token_limit,
)
from workers_ai.simulator.chat.streams import Generated
from workers_ai.simulator.models.families import Family, family_of, reasons
from workers_ai.simulator.models.metering import count_tokens, price_list, split_tokens, token_usage

CACHE_BLOCK_TOKENS = 16
# With longer prompts models ignore "required".
REQUIRED_HOLDS_TOKENS = 6000
# What a model thinks at a low effort.
SHORT_THOUGHT = "I answer what was asked."


def generate(call: Call, body: dict[str, Any]) -> list[Generated]:
    """Checks the request as the model's backend would, and makes its answers."""
    entry = call.entry()
    family = family_of(entry)
    require_acceptable(call, entry, family, body)
    messages = conversation(body)
    pictures = pictures_in(entry, messages, body)
    question = asked(body, family, entry["name"], messages, pictures)
    prompt_tokens = count_prompt(messages, question)
    limit = token_limit(body, family)
    require_room(entry, prompt_tokens, limit)
    if question.tool_choice == "required" and prompt_tokens > REQUIRED_HOLDS_TOKENS:
        question.tool_choice = "none"
    thought = answer(question)
    if body.get("reasoning_effort") in ("low", "minimal"):
        thought = replace(thought, reasoning=SHORT_THOUGHT)
    thinks = reasons(entry, body)
    # A schema takes 1.0 for a whole number.
    count = int(body.get("n") or 1) if family.openai_schema else 1
    cached = _cached_tokens(call, entry, body, prompt_tokens)
    stops = [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or []
    cut = _cut(thought, family, thinks, limit, stops if family.openai_schema else [])
    cut.turn = len(messages)
    cut.model = entry["name"]
    cut.json_mode = question.json_schema is not None
    if family.openai_schema and body.get("logprobs"):
        cut.top_logprobs = int(body.get("top_logprobs") or 0)
    cut.usage = token_usage(entry, prompt_tokens, count * _completion_tokens(cut, limit), cached)
    made = [cut]
    for index in range(1, count):
        made.append(Generated(**{**cut.__dict__, "index": index}))
    return made


def _cut(
    thought: Thought, family: Family, thinks: bool, limit: int | None, stops: list[str]
) -> Generated:
    """The answer within its limits. Thoughts come first and count, so they may use up all."""
    content = thought.content
    for stop in stops:
        content = content.split(stop, 1)[0] if stop else content
    reasoning = thought.reasoning if thinks else ""
    if family.reasoning_field.startswith("inline"):
        opening = "<think>\n" if family.reasoning_field == "inline" else ""
        content = f"{opening}{reasoning}\n</think>\n\n{content}"
        reasoning = ""
    thoughts, words = split_tokens(reasoning), split_tokens(content)
    calls, finish = thought.tool_calls, "tool_calls" if thought.tool_calls else "stop"
    if limit is not None and len(thoughts) + len(words) > limit:
        thoughts = thoughts[:limit]
        words = words[: limit - len(thoughts)]
        calls, finish = (), "length"
    elif limit is not None and calls:
        left = limit - len(thoughts) - len(words)
        written = _calls_within(calls, left, whole_only=family.dialect == "legacy")
        calls, finish = written, "tool_calls" if written == calls else "length"
    return Generated("", family, words, {}, thoughts, calls, finish)


def _calls_within(
    calls: tuple[ToolCall, ...], tokens: int, *, whole_only: bool
) -> tuple[ToolCall, ...]:
    """The calls that so many tokens write, the last perhaps cut off; `whole_only`: a server that
    gives out what it has parsed has nothing of that one.
    """
    written: list[ToolCall] = []
    for call in calls:
        name, arguments = split_tokens(call.name), split_tokens(call.text)
        if len(name) + len(arguments) <= tokens:
            written.append(call)
            tokens -= len(name) + len(arguments)
            continue
        if tokens > len(name) and not whole_only:
            text = "".join(arguments[: tokens - len(name)])
            written.append(replace(call, written=text))
        break
    return tuple(written)


def _completion_tokens(made: Generated, limit: int | None) -> int:
    if made.finish_reason == "length" and limit is not None:
        return limit
    calls = [{"name": call.name, "arguments": call.arguments} for call in made.tool_calls]
    spent = len(made.content) + len(made.reasoning)
    spent += count_tokens(orjson.dumps(calls).decode()) if calls else 0
    # The end of the turn is a token too.
    return spent + 1


def _cached_tokens(
    call: Call, entry: dict[str, Any], body: dict[str, Any], prompt_tokens: int
) -> int:
    session = call.headers.get("x-session-affinity", "")
    if not session or "per M cached input tokens" not in price_list(entry):
        return 0
    parts = [body.get("tools"), body.get("messages"), body.get("prompt")]
    prompt = "".join(orjson.dumps(part).decode() for part in parts if part is not None)
    alike = call.world.common_prefix(entry["name"], session, prompt)
    tokens = int(prompt_tokens * alike / max(1, len(prompt)))
    return min(tokens // CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS, prompt_tokens - 1)
