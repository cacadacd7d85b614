"""Which messages `truncation: auto` leaves out."""

from types import SimpleNamespace
from typing import Any

import pytest

from openai_api.chat_completions.request import ChatRequest
from openai_api.responses.truncation import truncate

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def message(role: str, characters: int, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": role[0] * characters, **fields}


@pytest.mark.parametrize(
    ("window", "messages", "kept"),
    [
        (None, [message("user", 9000)], [0]),
        (1000, [message("user", 400), message("assistant", 400), message("user", 4)], [0, 1, 2]),
        (1000, [message("user", 4000), message("assistant", 400), message("user", 4)], [1, 2]),
        (1000, [message("system", 40), message("user", 4000), message("user", 4)], [0, 2]),
        (1000, [message("system", 40), message("user", 4000)], [0, 1]),
        (1000, [message("user", 4000), message("user", 4000)], [1]),
        (  # the results of a call go with it
            1000,
            [
                message("user", 40),
                message("assistant", 0, tool_calls=[CALL]),
                message("tool", 4000),
                message("assistant", 40),
                message("user", 4),
            ],
            [3, 4],
        ),
    ],
)
def test_the_oldest_are_left_out(
    window: int | None, messages: list[dict[str, Any]], kept: list[int]
) -> None:
    asked = ChatRequest(model="m", messages=list(messages))
    truncate(asked, SimpleNamespace(name="m", context_window=window))  # type: ignore[arg-type]
    assert asked.messages == [messages[place] for place in kept]


def test_the_answer_needs_room_too() -> None:
    messages = [message("user", 2000), message("user", 4)]
    asked = ChatRequest(model="m", messages=messages, max_tokens=600)
    truncate(asked, SimpleNamespace(name="m", context_window=1000))  # type: ignore[arg-type]
    assert asked.messages == messages[1:]
