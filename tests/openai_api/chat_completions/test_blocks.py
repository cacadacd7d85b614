"""Deltas that come side by side, told one block after the other."""

from typing import Any

import pytest

from openai_api.chat_completions.blocks import Blocks, Step


def call(index: int, arguments: str, name: str = "") -> dict[str, Any]:
    part: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
    if name:
        part |= {"id": f"call_{name}", "type": "function"}
        part["function"]["name"] = name
    return {"tool_calls": [part]}


def told(*deltas: dict[str, Any]) -> list[tuple[str, str]]:
    """(what, text) of each step, a block's name in the place of its opening and closing."""
    blocks = Blocks()
    steps: list[Step] = []
    for delta in deltas:
        steps += blocks.take((0, delta, None))
    steps += blocks.end()
    return [
        (step.what, step.text if step.what == "grows" else step.block.name or step.block.kind)
        for step in steps
    ]


THOUGHT, TEXT = {"reasoning_content": "hm"}, {"content": "hi"}


@pytest.mark.parametrize(
    ("deltas", "steps"),
    [
        ([], []),
        ([{}], []),
        ([TEXT, TEXT], [("opens", "text"), ("grows", "hi"), ("grows", "hi"), ("closes", "text")]),
        (
            [THOUGHT, TEXT],
            [
                *(("opens", "reasoning"), ("grows", "hm"), ("closes", "reasoning")),
                *(("opens", "text"), ("grows", "hi"), ("closes", "text")),
            ],
        ),
        (
            [call(0, "{", "a"), call(0, "}"), call(1, "{}", "b")],
            [
                *(("opens", "a"), ("grows", "{"), ("grows", "}"), ("closes", "a")),
                *(("opens", "b"), ("grows", "{}"), ("closes", "b")),
            ],
        ),
        (  # both begin before either has its arguments: the second one waits
            [call(0, "", "a"), call(1, "", "b"), call(1, "{}"), call(0, "{}")],
            [
                *(("opens", "a"), ("grows", "{}"), ("closes", "a")),
                *(("opens", "b"), ("grows", "{}"), ("closes", "b")),
            ],
        ),
        (  # text after a call that is not complete waits for it
            [call(0, '{"x":', "a"), TEXT, call(0, "1}")],
            [
                *(("opens", "a"), ("grows", '{"x":'), ("grows", "1}"), ("closes", "a")),
                *(("opens", "text"), ("grows", "hi"), ("closes", "text")),
            ],
        ),
    ],
)
def test_blocks_follow_one_another(
    deltas: list[dict[str, Any]], steps: list[tuple[str, str]]
) -> None:
    assert told(*deltas) == steps


def test_a_second_choice_is_left_out() -> None:
    blocks = Blocks()
    assert blocks.take((0, TEXT, None))
    assert blocks.take((1, TEXT, None)) == []


@pytest.mark.parametrize(("arguments", "broke_off"), [("{}", False), ('{"a', True)])
def test_a_call_that_was_cut_off_is_known(arguments: str, broke_off: bool) -> None:
    blocks = Blocks()
    blocks.take((0, call(0, arguments, "a"), None))
    assert blocks.broke_off is broke_off
