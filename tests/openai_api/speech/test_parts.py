"""Where a text is cut that is too long to be spoken at once, and how sounds are joined."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openai_api.speech.parts import character_limit, first_of_several, parts_of, without_head
from workers_ai import audio_file
from workers_ai.failures.reader import refusal
from workers_ai.simulator.tasks import sound


@settings(max_examples=100)
@given(st.text(alphabet="ab .,;\n。字", max_size=400), st.integers(100, 150))
def test_parts_are_the_text_and_none_is_too_long(text: str, most: int) -> None:
    parts = parts_of(text, most)
    assert all(len(part) <= most for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_sentences_are_kept_together() -> None:
    text = "One sentence stands here. " * 8
    assert all(part.endswith("here. ") for part in parts_of(text, 100))
    assert parts_of("字" * 60 + "。" + "字" * 60, 100)[0].endswith("。")


@pytest.mark.parametrize(
    ("words", "most"),
    [
        ("Input text exceeds maximum character limit of 2000.", 2000),
        ("Input exceeds the maximum character limit of 2,000 characters", 2000),
        ("text must be less than 2000 characters", 2000),
        ("The text is longer than the maximum of 5000 characters.", 5000),
        ("Length of '/text' must be <= 2000", 2000),
        ("Bad input: '/speaker' must be one of 12", None),
        ("Your output has been flagged", None),
    ],
)
def test_the_limit_is_read_from_the_refusal(words: str, most: int | None) -> None:
    body = {"errors": [{"code": 3030, "message": f"AiError: {words}"}], "success": False}
    assert character_limit(refusal(body, status=400)) == most


def test_joined_recordings_are_one() -> None:
    one, other = sound.wav("one two three"), sound.wav("four")
    joined = first_of_several(one) + without_head(other)
    expected = (audio_file.seconds(one) or 0) + (audio_file.seconds(other) or 0)
    assert audio_file.seconds(joined) == pytest.approx(expected)
    tagged = b"ID3\x04\0\0\0\0\0\x02ab" + sound.mp3("one")
    assert without_head(tagged) == sound.mp3("one")
