"""What a request costs that holds many items: it grows with their number, not with its square."""

import time
from typing import Any

import pytest

from openai_api.responses.request import read
from openai_api.responses.translate import translate

THOUGHT = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "a"}]}


def call(number: int) -> dict[str, Any]:
    return {"type": "function_call", "call_id": f"c{number}", "name": "f", "arguments": "{}"}


def seconds(items: list[dict[str, Any]]) -> float:
    asked = read({"model": "m", "input": [*items, {"role": "user", "content": "Hi"}]})
    began = time.process_time()
    translate(asked)
    return time.process_time() - began


@pytest.mark.parametrize("paired", [False, True])
def test_thoughts_are_joined_in_linear_time(paired: bool) -> None:
    text = "a" * 8_000
    thought = {**THOUGHT, "content": [{"type": "reasoning_text", "text": text}]}

    def items(count: int) -> list[dict[str, Any]]:
        return [call(n) if paired and n % 2 else thought for n in range(count)]

    few, many = (min(seconds(items(count)) for _ in range(3)) for count in (1_000, 4_000))
    assert many < 10 * few + 0.05
