"""The most tokens that a prompt can have, which budgets set aside."""

from typing import Any

import pytest

from openai_api.chat_completions.length import (
    MOST_TOKENS_OF_A_PICTURE,
    TOKENS_AROUND_A_MESSAGE,
    TOKENS_AROUND_A_PROMPT,
    most_prompt_tokens,
)
from openai_api.wire.tool_lists import ToolList

AROUND = TOKENS_AROUND_A_PROMPT + TOKENS_AROUND_A_MESSAGE
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def user(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **fields}


@pytest.mark.parametrize(
    ("payload", "tokens"),
    [
        ({"messages": [user("Hello")]}, 5),
        ({"messages": [user("你好")]}, 6),
        ({"messages": [user("Hello")], "max_tokens": 4096, "temperature": 0.5}, 5),
        ({"messages": [user([{"type": "text", "text": "Hello"}])]}, 5),
        ({"messages": [user([PICTURE])]}, MOST_TOKENS_OF_A_PICTURE),
        ({"messages": [user("Hello")], "image": [1, 2, 3]}, 5 + MOST_TOKENS_OF_A_PICTURE),
    ],
)
def test_no_text_has_more_tokens_than_bytes(payload: dict[str, Any], tokens: int) -> None:
    assert most_prompt_tokens({"model": "@cf/a", **payload}) == AROUND + tokens


@pytest.mark.parametrize(
    "more",
    [
        {"tools": ToolList([TOOL])},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": TOOL}}},
        {"messages": [user("Hello", tool_calls=[TOOL])]},
        # Looks like a picture, and is text that the model reads.
        {"tools": ToolList([{"type": "image_url", "description": "x" * 90_000}])},
    ],
)
def test_tools_calls_and_schemas_count_in_full(more: dict[str, Any]) -> None:
    text = str(more).replace(" ", "")
    most = most_prompt_tokens({"messages": [user("Hello")], **more})
    assert most - AROUND - len("Hello") >= 0.5 * len(text)
