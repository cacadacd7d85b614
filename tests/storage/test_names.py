"""What can be a name: two that differ look different, and none reads as what it is not."""

import re

import pytest
from django.core.exceptions import ValidationError

from storage.names import is_name, on_one_line, validate_name


@pytest.mark.parametrize(
    "text",
    [
        "research",
        "a b",
        "Größe & Co. (2026)",
        "Ре\u0301дкая",
        "研究　室",
        "ทีมวิจัย",
        "فريق البحث",
        "🚀 launch",
        "❤\ufe0f",
        "👩\u200d💻 👩🏽\u200d💻 🏳\ufe0f\u200d🌈",
        "",
    ],
)
def test_what_shows_as_it_is(text: str) -> None:
    validate_name(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\u202eb", r"U\+202E \(RIGHT-TO-LEFT OVERRIDE\), at place 2"),
        ("ab\u200b", r"U\+200B \(ZERO WIDTH SPACE\), at place 3"),
        ("\ufeffab", r"U\+FEFF"),
        ("a\xadb", r"U\+00AD"),
        ("a\u2066b", r"U\+2066"),
        ("a\u200db", r"U\+200D"),
        ("a\ufe0fb", r"U\+FE0F"),
        ("a\U000e0041b", r"U\+E0041"),
        ("a\U000e0100b", r"U\+E0100"),
        ("a\u3164b", r"U\+3164 \(HANGUL FILLER\)"),
        ("a\xa0b", r"U\+00A0 \(NO-BREAK SPACE\)"),
        ("a\u2003b", r"U\+2003"),
        ("a\nb", r"U\+000A, at place 2"),
        ("a\u2028b", r"U\+2028"),
        ("a\x00b", r"U\+0000"),
        ("a\x85b", r"U\+0085"),
        ("a\ud800b", r"U\+D800"),
    ],
)
def test_what_nobody_sees_is_refused_by_its_number(text: str, told: str) -> None:
    assert not is_name(text)
    with pytest.raises(ValidationError) as refused:
        validate_name(text)
    assert re.search(told, refused.value.messages[0])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" for the\tlaunch ", "for the launch"),
        ("a\r\n9  owner:root\x1b[2Jb", "a 9 owner:root [2Jb"),
        ("a\u202eb\u2028c", "a b c"),
        ("👩\u200d💻 ❤\ufe0f", "👩\u200d💻 ❤\ufe0f"),
        ("\x00\x7f", ""),
    ],
)
def test_a_text_on_one_line(text: str, shown: str) -> None:
    assert on_one_line(text) == shown
