"""The captured text of one request: its prompt and its answer, bounded in length. Pure.

Pictures and sound are replaced by their kind and size. Of a text that is too long the beginning and
the end are kept, since the newest turn of a conversation is at the end, with a mark where it was
cut.
"""

import json
import re
from collections import deque
from dataclasses import dataclass
from typing import Final

FIRST_CHARACTERS: Final = 60_000
LAST_CHARACTERS: Final = 40_000
# Of a text that is laid out for reading.
LAID_OUT_CHARACTERS: Final = 1_000_000

_BASE64: Final = r"[A-Za-z0-9+/=_-]*(?:\\/[A-Za-z0-9+/=_-]*)*"
_DATA_URL: Final = re.compile(rf"data:([\w.+-]+\\?/[\w.+-]+)(?:;[\w=.+-]+)*;base64,({_BASE64})")
# Fields that contain encoded bytes in one of the dialects. Short texts in them are kept.
_BYTES_FIELD: Final = re.compile(
    rf'"(data|b64_json|image|image_b64|mask|mask_b64|audio|file_data|embedding)"\s*:\s*"({_BASE64})"'
)
_LONGEST_SHOWN: Final = 120
_VECTOR: Final = re.compile(r'"embedding"\s*:\s*\[([-+.,eE\d\s]*)\]')


@dataclass(frozen=True, slots=True, repr=False)
class CapturedTexts:
    """The numbers of characters are those before a text was cut."""

    asked: str
    asked_characters: int
    answered: str
    answered_characters: int


_NOT_KEPT: Final = "[Not stored: too many rows were waiting for the database.]"
TOO_MUCH_WAITED: Final = CapturedTexts(_NOT_KEPT, len(_NOT_KEPT), "", 0)


class BoundedText:
    """Text that grows piece by piece, and of which a bounded part is kept in memory."""

    __slots__ = ("_first", "_last", "_last_characters", "characters")

    def __init__(self) -> None:
        self._first: list[str] = []
        self._last: deque[str] = deque()
        self._last_characters = 0
        self.characters = 0

    def add(self, text: str) -> None:
        room = FIRST_CHARACTERS - self.characters
        self.characters += len(text)
        if room > 0:
            self._first.append(text[:room])
            text = text[room:]
        if not text:
            return
        self._last.append(text[-LAST_CHARACTERS:])
        self._last_characters += len(self._last[-1])
        while self._last_characters - len(self._last[0]) >= LAST_CHARACTERS:
            self._last_characters -= len(self._last.popleft())

    def __str__(self) -> str:
        last = "".join(self._last)[-LAST_CHARACTERS:]
        cut = self.characters - FIRST_CHARACTERS - len(last)
        mark = f"\n[… {cut:,} characters cut here …]\n" if cut > 0 else ""
        return "".join(self._first) + mark + last


class Capture:
    """Collects the texts of one request while it is handled."""

    __slots__ = ("answered", "asked")

    def __init__(self) -> None:
        self.asked = BoundedText()
        self.answered = BoundedText()

    def texts(self) -> CapturedTexts:
        return CapturedTexts(
            asked=str(self.asked),
            asked_characters=self.asked.characters,
            answered=str(self.answered),
            answered_characters=self.answered.characters,
        )


def readable(body: bytes) -> str:
    """A body as text, with encoded bytes replaced."""
    try:
        return without_bytes(body.decode())
    except UnicodeDecodeError:
        return f"[{len(body):,} bytes that are no text]"


_INDENTED: Final = json.JSONEncoder(indent=2, ensure_ascii=False)


def laid_out(text: str) -> str:
    """A captured text for reading: uncut JSON is indented, everything else is unchanged.

    So is JSON of many levels, whose blanks would be many times its text.
    """
    pieces: list[str] = []
    size = 0
    try:
        for piece in _INDENTED.iterencode(json.loads(text)):
            size += len(piece)
            if size > LAID_OUT_CHARACTERS:
                return text
            pieces.append(piece)
    except (ValueError, RecursionError):
        return text
    return "".join(pieces)


def without_bytes(text: str) -> str:
    """Replaces pictures, sound and vectors by a few words."""
    text = _DATA_URL.sub(_data_url_told, text)
    text = _BYTES_FIELD.sub(_field_told, text)
    return _VECTOR.sub(_vector_told, text)


def _data_url_told(found: re.Match[str]) -> str:
    # Some clients escape every slash in their JSON.
    kind = found[1].replace("\\", "")
    return f"[{kind}, {_decoded_size(found[2])}]"


def _field_told(found: re.Match[str]) -> str:
    if len(found[2]) <= _LONGEST_SHOWN:
        return found[0]
    return f'"{found[1]}": "[{_decoded_size(found[2])}]"'


def _vector_told(found: re.Match[str]) -> str:
    return f'"embedding": "[{found[1].count(",") + 1:,} numbers]"'


def _decoded_size(base64: str) -> str:
    characters = len(base64.rstrip("=")) - base64.count("\\")
    return f"{characters * 3 // 4:,} bytes"
