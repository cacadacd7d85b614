"""What a request costs to read and translate grows with its lists, not with their squares.

Measured in CPU time, with so much room that only another order of growth fails: four times as many
entries may take ten times as long.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest

from catalog.classify.facts import DecisionFacts
from openai_api.chat_completions import translate as chat_plan
from openai_api.chat_completions.answer import ChatStream
from openai_api.chat_completions.normalise import Expected, read_whole
from openai_api.chat_completions.request import read as read_chat
from openai_api.completions.request import read as read_completion
from openai_api.completions.translate import translate as completion_plan
from openai_api.decisions.request import read as read_decision
from openai_api.decisions.translate import translate as decision_plan
from openai_api.embeddings.request import read as read_embeddings
from openai_api.embeddings.translate import translate as embeddings_plan
from openai_api.messages.request import read_prompt
from openai_api.messages.translate import translate as message_chat
from openai_api.moderations.request import read as read_moderation
from openai_api.moderations.translate import translate as moderation_plan
from openai_api.rerank.request import read as read_rerank
from openai_api.rerank.translate import translate as rerank_plan
from openai_api.responses.request import read as read_response
from openai_api.responses.translate import translate as response_chat
from openai_api.wire.fields import json_object
from openai_api.wire.multipart import MOST_PARTS, read_form
from tests.openai_api.chat_completions.test_translate import model
from workers_ai.errors import WorkersAIError
from workers_ai.sse import EventDecoder

Body = dict[str, Any]
MODEL = model(vision=True, window=None)
# Long enough that copying all that came before shows.
LONG = "a" * 4_000


def user(content: Any = "Hi") -> Body:
    return {"role": "user", "content": content}


def chat(body: Body) -> None:
    plan = chat_plan.translate(read_chat(body), MODEL, default_max_tokens=None)
    plan.most_prompt_tokens()
    chat_plan.body_of(plan.payload, stream=True)


def of_dialect(read: Any, translate: Any, body: Body) -> None:
    asked, _ = translate(read(body))
    plan = chat_plan.translate(asked, MODEL, default_max_tokens=None)
    plan.most_prompt_tokens()


def planned(read: Any, translate: Any, body: Body) -> None:
    translate(read(body), replace(MODEL, decisions=DecisionFacts(most_images=16)))


response = partial(of_dialect, read_response, response_chat)
message = partial(of_dialect, read_prompt, message_chat)


def call(number: int) -> Body:
    return {"id": f"c{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def output(number: int, text: str) -> list[Body]:
    return [
        {"type": "function_call", "call_id": f"c{number}", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": f"c{number}", "output": text},
    ]


def used(number: int, text: str) -> list[Body]:
    use = {"type": "tool_use", "id": f"c{number}", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": f"c{number}", "content": text}
    return [{"role": "assistant", "content": [use]}, user([result])]


# Name → what is measured, the number of entries, and the body with so many.
SHAPES: dict[str, tuple[Callable[[Body], None], int, Callable[[int], Body]]] = {
    "chat, messages": (chat, 1000, lambda n: {"messages": [user(LONG)] * n}),
    "chat, instructions": (
        chat,
        1000,
        lambda n: {"messages": [{"role": "system", "content": LONG}] * n + [user()]},
    ),
    "chat, developers' instructions": (
        chat,
        1000,
        lambda n: {"messages": [{"role": "developer", "content": LONG}] * n + [user()]},
    ),
    "chat, parts": (
        chat,
        500,
        lambda n: {"messages": [user([{"type": "text", "text": LONG}] * n)]},
    ),
    "chat, pictures": (
        chat,
        500,
        lambda n: {
            "messages": [
                user(
                    [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + LONG}}]
                    * n
                )
            ]
        },
    ),
    "chat, calls": (
        chat,
        250,
        lambda n: {
            "messages": [
                user(),
                {"role": "assistant", "content": None, "tool_calls": [call(i) for i in range(n)]},
            ]
        },
    ),
    "chat, tools": (
        chat,
        250,
        lambda n: {
            "messages": [user()],
            "tools": [{"type": "function", "function": {"name": f"f{i}"}} for i in range(n)],
            "tool_choice": "required",
        },
    ),
    "chat, properties": (
        chat,
        4000,
        lambda n: {
            "messages": [user()],
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "parameters": {"properties": {f"p{i}": {} for i in range(n)}},
                    },
                }
            ],
        },
    ),
    "chat, functions": (
        chat,
        250,
        lambda n: {"messages": [user()], "functions": [{"name": f"f{i}"} for i in range(n)]},
    ),
    "chat, logit_bias": (
        chat,
        10_000,
        lambda n: {"messages": [user()], "logit_bias": {str(i): 1 for i in range(n)}},
    ),
    "responses, messages": (response, 1000, lambda n: {"input": [user(LONG)] * n}),
    "responses, instructions": (
        response,
        1000,
        lambda n: {"input": [{"role": "system", "content": LONG}] * n + [user()]},
    ),
    "responses, answers": (
        response,
        1000,
        lambda n: {"input": [{"role": "assistant", "content": LONG}] * n + [user()]},
    ),
    "responses, thoughts": (
        response,
        1000,
        lambda n: {
            "input": [{"type": "reasoning", "content": [{"text": LONG}], "summary": []}] * n
            + [user()]
        },
    ),
    "responses, parts of thoughts": (
        response,
        500,
        lambda n: {"input": [{"type": "reasoning", "summary": [{"text": LONG}] * n}, user()]},
    ),
    "responses, calls": (
        response,
        500,
        lambda n: {"input": [item for i in range(n) for item in output(i, LONG)]},
    ),
    "responses, parts": (
        response,
        500,
        lambda n: {"input": [user([{"type": "input_text", "text": LONG}] * n)]},
    ),
    "responses, tools": (
        response,
        250,
        lambda n: {
            "input": "Hi",
            "tools": [{"type": "function", "name": f"f{i}"} for i in range(n)],
            "tool_choice": {
                "type": "allowed_tools",
                "tools": [{"type": "function", "name": f"f{i}"} for i in range(n)],
            },
        },
    ),
    "messages, messages": (message, 1000, lambda n: {"messages": [user(LONG)] * n}),
    "messages, system": (
        message,
        500,
        lambda n: {"messages": [user()], "system": [{"type": "text", "text": LONG}] * n},
    ),
    "messages, systems between": (
        message,
        1000,
        lambda n: {"messages": [{"role": "system", "content": LONG}] * n + [user()]},
    ),
    "messages, blocks": (
        message,
        500,
        lambda n: {"messages": [user([{"type": "text", "text": LONG}] * n)]},
    ),
    "messages, thoughts": (
        message,
        500,
        lambda n: {
            "messages": [
                user(),
                {"role": "assistant", "content": [{"type": "thinking", "thinking": LONG}] * n},
            ]
        },
    ),
    "messages, results": (
        message,
        500,
        lambda n: {"messages": [item for i in range(n) for item in used(i, LONG)]},
    ),
    "messages, tools": (
        message,
        250,
        lambda n: {
            "messages": [user()],
            "tools": [{"name": f"f{i}", "input_schema": {}} for i in range(n)],
        },
    ),
    "completions, prompts": (
        lambda body: (completion_plan(read_completion(body), MODEL, default_max_tokens=9), None)[1],
        8,
        lambda n: {"prompt": [LONG * 10] * n},
    ),
    "embeddings, texts": (
        partial(planned, read_embeddings, embeddings_plan),
        500,
        lambda n: {"input": [LONG] * n},
    ),
    "rerank, documents": (
        partial(planned, read_rerank, rerank_plan),
        250,
        lambda n: {"query": "a", "documents": [{"text": LONG}] * n},
    ),
    "moderations, texts": (
        partial(planned, read_moderation, moderation_plan),
        25,
        lambda n: {"input": [LONG * 10] * n},
    ),
    "moderations, parts": (
        partial(planned, read_moderation, moderation_plan),
        25,
        lambda n: {"input": [{"type": "text", "text": LONG * 10}] * n},
    ),
    "decisions, items": (
        partial(planned, read_decision, decision_plan),
        500,
        lambda n: {
            "input": [user([{"type": "input_text", "text": LONG}])] * n,
            "questions": [{"type": "predicate", "instructions": "Is it?"}],
        },
    ),
}


def grows(measured: Callable[[int], float], few: int) -> None:
    """Least of three, as other work of the machine only adds."""
    small, large = (min(measured(count) for _ in range(3)) for count in (few, 4 * few))
    assert large < 10 * small + 0.02


@pytest.mark.parametrize("name", SHAPES)
def test_a_list_costs_in_proportion_to_its_length(name: str) -> None:
    run, few, body = SHAPES[name]

    def seconds(count: int) -> float:
        asked = orjson.dumps({"model": "m", **body(count)})
        began = time.process_time()
        run(json_object(asked))
        return time.process_time() - began

    grows(seconds, few)


async def test_a_form_costs_in_proportion_to_its_parts() -> None:
    async def seconds(count: int) -> float:
        part = '--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n' + LONG + "\r\n"
        body = (part * count + "--x--\r\n").encode()
        began = time.process_time()
        await read_form(b"x", body)
        return time.process_time() - began

    few, many = MOST_PARTS // 4, MOST_PARTS
    small, large = [min([await seconds(count) for _ in range(3)]) for count in (few, many)]
    assert large < 10 * small + 0.02


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_an_answer_costs_in_proportion_to_its_length(field: str) -> None:
    expected = chat_plan.translate(
        read_chat({"model": "m", "messages": [user()]}), MODEL, default_max_tokens=None
    ).expected

    def seconds(count: int) -> float:
        answer = {"choices": [{"index": 0, "message": {field: "<b> " * count, "content": "a"}}]}
        content = orjson.dumps(answer)
        began = time.process_time()
        read_whole(content, expected)
        return time.process_time() - began

    grows(seconds, 50_000)


def delta(**fields: Any) -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": fields}]}) + b"\n\n"


def arguments(text: str) -> bytes:
    return delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": text}}])


@pytest.mark.parametrize(
    "event",
    [
        delta(content="a" * 200),
        delta(content="<thi"),
        delta(content="{" * 50),
        delta(content='{"name": "f", "arguments": {'),
        delta(reasoning_content="a" * 200),
        arguments('{"a": "' + "b" * 100),
        b'data: {"response":"' + b"a" * 200 + b'"}\n\n',
    ],
)
@pytest.mark.parametrize("thinks", [False, True])
def test_a_stream_costs_in_proportion_to_its_events(event: bytes, thinks: bool) -> None:
    expected = Expected(
        model="m",
        thinks_inline=thinks,
        thinks_unopened=thinks,
        offered_tools=frozenset({"f"}),
        max_tokens=10**6,
    )

    def seconds(count: int) -> float:
        writer, decoder = ChatStream(expected, include_usage=True), EventDecoder()
        began = time.process_time()
        for _ in range(count):
            writer.events(decoder.feed(event))
        with suppress(WorkersAIError):
            writer.end()
        return time.process_time() - began

    grows(seconds, 1_000)
