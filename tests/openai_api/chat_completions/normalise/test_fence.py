"""JSON in a fence of Markdown, where JSON was asked for: the fence goes, however it is cut."""

import json
import random

import pytest

from openai_api.chat_completions.normalise import Expected
from tests.openai_api.chat_completions.test_normalise import (
    DONE,
    MODEL,
    PLAIN,
    STOP,
    bare,
    said,
    streamed,
    whole,
    wire,
)

IN_JSON = Expected(model=MODEL, in_json=True)
OBJECT = '{"a": "```", "b": [1]}'


def pieces(text: str, seed: int) -> list[str]:
    choose = random.Random(seed)
    cuts = sorted(choose.sample(range(len(text) + 1), choose.randint(0, len(text))))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (f"```json\n{OBJECT}\n```", OBJECT),
        (f" \n```JSON\n{OBJECT}\n```\n\n", OBJECT),
        (f"```\n{OBJECT}```", OBJECT),
        (f"```{OBJECT}", OBJECT),
        (f"```json\n{OBJECT[:-4]}", OBJECT[:-4]),
        ("```json\n[1, 2]\n```", "[1, 2]"),
        (OBJECT, OBJECT),
        (f" {OBJECT}\n", f" {OBJECT}\n"),
        ("```python\nprint()\n```", "```python\nprint()\n```"),
        ("Here: ```json\n{}\n```", "Here: ```json\n{}\n```"),
        ("``", "``"),
        ("```json\n" + " " * 300, "```json\n" + " " * 300),
    ],
)
def test_an_answer_in_json_has_no_fence_around_it(text: str, content: str) -> None:
    assert whole(bare({"content": text}), IN_JSON)["message"]["content"] == content
    for seed in range(20):
        assert streamed(wire(*said(*pieces(text, seed)), STOP, DONE), IN_JSON).text == content


def test_a_fence_stays_where_no_json_was_asked_for() -> None:
    text = f"```json\n{OBJECT}\n```"
    assert whole(bare({"content": text}), PLAIN)["message"]["content"] == text


def test_white_space_without_end_is_not_held_back() -> None:
    outcome = streamed(wire(*said("```json\n{", *["\n" * 20] * 50, "}\n```"), STOP, DONE), IN_JSON)
    assert json.loads(outcome.text) == {}
    assert len(outcome.chunks) > 10
