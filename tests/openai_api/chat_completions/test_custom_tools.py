"""The input of a custom tool, taken out of a function's arguments as they arrive."""

import json
import random

import pytest

from openai_api.chat_completions.custom_tools import InputReader, arguments_of, input_of

PATCHES = [
    "",
    "ls -la",
    '*** Begin Patch\n+"quoted"\t\\n\\\\ {"input": "x"}\n*** End Patch\n',
    "ends with a backslash \\",
    "Grüße, 世界 🙂 \u2028",
    "\x00\x1f",
]


def pieces_of(text: str, seed: int) -> list[str]:
    choose = random.Random(seed)
    cuts = sorted(choose.sample(range(len(text) + 1), min(len(text), choose.randint(0, 30))))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@pytest.mark.parametrize("text", PATCHES)
@pytest.mark.parametrize("write", [json.dumps, lambda x: json.dumps(x, ensure_ascii=False)])
def test_an_input_comes_whole_however_it_is_cut(text: str, write: object) -> None:
    arguments = json.dumps({"input": text}) if write is json.dumps else arguments_of(text)
    assert input_of(arguments) == text
    for seed in range(40):
        reader = InputReader()
        told = [reader.feed(piece) for piece in pieces_of(arguments, seed)]
        assert "".join(told) + reader.end() == text
        for piece in told:
            piece.encode()  # no half of a surrogate pair


def test_an_input_is_told_before_it_is_complete() -> None:
    reader = InputReader()
    assert reader.feed('{"input": "one ') == "one "
    assert reader.feed("two\\") == "two"
    assert reader.feed('n"}') == "\n"
    assert reader.end() == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"command": "ls"}', "ls"),
        ('"ls"', "ls"),
        ("ls", "ls"),
        ("{}", ""),
        ("", ""),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 2}'),
        ('{"input": "cut o', "cut o"),
        ('{"input": "cut \\', "cut "),
        ('{"input": 7}', '{"input": 7}'),
    ],
)
def test_arguments_of_another_form_are_not_lost(arguments: str, text: str) -> None:
    assert input_of(arguments) == text
