"""Thoughts in the text, told apart however the tags are split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openai_api.chat_completions.normalise.thinking import ThinkingSplitter


def split(text: str, cuts: list[int], *, opened: bool, truncated: bool = False) -> tuple[str, str]:
    """(thoughts, answer) of the text fed in these pieces."""
    splitter = ThinkingSplitter(opened_by_template=opened)
    places = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    pieces = []
    for start, stop in zip(places, [*places[1:], len(text)], strict=True):
        pieces += splitter.feed(text[start:stop])
    pieces += splitter.end(truncated=truncated)
    return (
        "".join(text for kind, text in pieces if kind == "reasoning"),
        "".join(text for kind, text in pieces if kind == "content"),
    )


CASES = [
    ("<think>\nHm</think>\n\nHi", False, ("Hm", "Hi")),
    ("  <think>Hm</think>Hi", False, ("Hm", "Hi")),
    ("<think></think>Hi", False, ("", "Hi")),
    ("Hi <think>there</think>", False, ("", "Hi <think>there</think>")),
    ("<thin air>", False, ("", "<thin air>")),
    ("Hm</think>Hi", True, ("Hm", "Hi")),
    ("<think>Hm</think>Hi", True, ("Hm", "Hi")),
    ("Hm</think>Hi </think> x", True, ("Hm", "Hi </think> x")),
    ("a < b </thin c</think>Hi", True, ("a < b </thin c", "Hi")),
]


@pytest.mark.parametrize(("text", "opened", "parts"), CASES)
def test_thoughts_and_answer_are_told_apart(
    text: str, opened: bool, parts: tuple[str, str]
) -> None:
    assert split(text, [], opened=opened) == parts


@given(case=st.sampled_from(CASES), cuts=st.lists(st.integers(0, 40), max_size=10))
def test_no_split_changes_the_parts(
    case: tuple[str, bool, tuple[str, str]], cuts: list[int]
) -> None:
    text, opened, (thoughts, answer) = case
    seen_thoughts, seen_answer = split(text, cuts, opened=opened)
    assert (seen_thoughts.strip(), seen_answer) == (thoughts.strip(), answer)


def test_an_answer_without_any_tag_is_an_answer_in_the_end() -> None:
    assert split("Just this.", [3], opened=True)[1] == "Just this."


def test_a_thought_cut_at_the_limit_stays_a_thought() -> None:
    assert split("Let me se", [3], opened=True, truncated=True) == ("Let me se", "")
