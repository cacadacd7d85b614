"""A text that is longer than a model speaks at once: cut at the ends of sentences, and the sound of
its parts joined. Pure.

Sound of samples and of frames plays on when one file's is set behind another's; the formats that
count or number what they hold (flac, opus in Ogg) do not.
"""

import re
import struct
from typing import Final

from workers_ai.errors import Refused

JOINABLE: Final = frozenset({"mp3", "aac", "pcm", "wav"})
# Shorter parts are no speech; a model with such a limit is not asked in parts.
SHORTEST_PART: Final = 100
# So many bytes of a sound hold its head, where there is one.
LONGEST_HEAD: Final = 1_024

# "Input text exceeds maximum character limit of 2000.", "Length of '/text' must be <= 2000".
_LIMITS: Final = (
    re.compile(r"\bcharacter (?:limit|count|length)\D{0,30}?([\d,]{2,9})", re.IGNORECASE),
    re.compile(
        r"\b(?:exceed\w*|at most|maximum|limit|less than|more than|up to|over)\b\D{0,40}?"
        r"([\d,]{2,9})[ -]?char",
        re.IGNORECASE,
    ),
    re.compile(r"length of '/(?:text|prompt|input)' must be <= ([\d,]{2,9})", re.IGNORECASE),
)
# Where a text is cut, the best place first: paragraphs, sentences, clauses, words.
_ENDS: Final = (
    re.compile(r"\n\s*\n"),
    re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]+"),
    re.compile(r"[,;:—–]\s+|[，、；：]|\n"),
    re.compile(r"\s+"),
)
_UNKNOWN_LENGTH: Final = 0xFFFFFFFF


def character_limit(refusal: Refused) -> int | None:
    """The most characters that a refusal says a text may have; None for one about anything else."""
    for limit in _LIMITS:
        found = limit.search(refusal.message[:500])
        if found is not None:
            most = int(found[1].replace(",", "") or 0)
            return most if most >= SHORTEST_PART else None
    return None


def parts_of(text: str, most: int) -> list[str]:
    """The text in parts of at most `most` characters, without those that hold only blanks."""
    parts = []
    start = 0
    while len(text) - start > most:
        end = start + _length_of_part(text[start : start + most])
        parts.append(text[start:end])
        start = end
    parts.append(text[start:])
    return [part for part in parts if part.strip()]


def _length_of_part(window: str) -> int:
    """Up to the last end of the best kind that leaves no part too short."""
    for kind in _ENDS:
        ends = [found.end() for found in kind.finditer(window)]
        if ends and ends[-1] >= len(window) // 3:
            return ends[-1]
    return len(window)


def first_of_several(head: bytes) -> bytes:
    """The beginning of a sound that others will follow: a WAV says that its length is not known."""
    at = _wav_data(head)
    if at is None:
        return head
    unknown = struct.pack("<I", _UNKNOWN_LENGTH)
    return head[:4] + unknown + head[8 : at - 4] + unknown + head[at:]


def without_head(head: bytes) -> bytes:
    """The beginning of a sound that follows another, without what only the first may have."""
    at = _wav_data(head)
    if at is not None:
        return head[at:]
    if head[:3] == b"ID3" and len(head) >= 10:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return head[10 + size :]
    return head


def _wav_data(head: bytes) -> int | None:
    """Where the samples of a WAV begin."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    at = 12
    while at + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, at)
        if name == b"data":
            return at + 8
        at += 8 + length + length % 2
    return None
