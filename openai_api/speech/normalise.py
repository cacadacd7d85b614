"""Workers AI's speech → OpenAI's: bytes of the format they really have, or events. Pure.

A model answers with raw bytes or with base64 in JSON, and its declared type may be wrong, so the
bytes' own signature names the format. Raises UnusableAnswer for what is not sound.
"""

import base64
import binascii
from typing import Any

import orjson

from openai_api.errors import ApiError
from openai_api.speech.translate import BYTES_PER_SAMPLE, SAMPLES_PER_SECOND
from openai_api.use.usage import Usage
from openai_api.wire.http_response import BrokenOff
from workers_ai import audio_file
from workers_ai.answer import Answer
from workers_ai.errors import UnusableAnswer

# How many bytes tell a format, and how many of a file's beginning are kept to measure it.
SIGNATURE_BYTES = 64
HEAD_BYTES = 16_384


def sound_of(answer: Answer) -> bytes:
    """The sound in an answer read whole; raises UnusableAnswer, or Refused for an error in it."""
    if answer.content.lstrip()[:1] != b"{":
        return checked(answer.content)
    result = answer.json()
    audio = result.get("audio") if isinstance(result, dict) else None
    if not isinstance(audio, str) or not audio:
        raise UnusableAnswer("Workers AI answered without sound")
    if audio.startswith("data:"):
        audio = audio.partition(",")[2]
    try:
        return checked(base64.b64decode(audio, validate=True))
    except (binascii.Error, ValueError):
        raise UnusableAnswer("Workers AI answered with sound that is not base64") from None


def checked(sound: bytes) -> bytes:
    """The same bytes; raises UnusableAnswer for none, and for JSON or a web page in their place."""
    if not sound:
        raise UnusableAnswer("Workers AI answered with no sound at all")
    if sound[:1] in (b"{", b"<") and b"\0" not in sound[:SIGNATURE_BYTES]:
        raise UnusableAnswer("Workers AI answered with text in place of sound")
    return sound


def content_type(response_format: str, head: bytes) -> str:
    """The media type of bytes that begin so."""
    found = audio_file.format_of(head)
    if response_format == "pcm" and found != "wav":
        # Any bytes may be samples, also those that look like another format.
        return "audio/pcm"
    expected = {"opus": "opus", "aac": "aac", "flac": "flac", "wav": "wav"}
    return audio_file.MEDIA_TYPES[found or expected.get(response_format, "mp3")]


class SoundMeter:
    """Measures the length of a sound that arrives in pieces."""

    def __init__(self, response_format: str) -> None:
        self._is_pcm = response_format == "pcm"
        self._size = 0
        self._head = b""
        self._tail = b""

    def take(self, piece: bytes) -> None:
        self._size += len(piece)
        if len(self._head) < HEAD_BYTES:
            self._head += piece[:HEAD_BYTES]
        self._tail = (self._tail + piece)[-audio_file.TAIL_BYTES :]

    @property
    def ms(self) -> int | None:
        """None where the bytes do not tell."""
        if self._is_pcm:
            return round(self._size * 1000 / (SAMPLES_PER_SECOND * BYTES_PER_SAMPLE))
        seconds = audio_file.seconds(self._head, size=self._size, tail=self._tail)
        return None if seconds is None else round(seconds * 1000)


class SoundBytes:
    """The sound itself. The last byte waits until the row is committed."""

    def __init__(self) -> None:
        self._held = b""

    def piece(self, sound: bytes) -> bytes:
        ready = self._held + sound[:-1]
        self._held = sound[-1:]
        return ready

    def last(self, usage: Usage) -> bytes:
        return self._held

    def failed(self, error: ApiError) -> bytes:
        raise BrokenOff


class SoundEvents:
    """The sound in OpenAI's events. `input_tokens` is an estimate: upstream counts none."""

    def __init__(self, input_tokens: int) -> None:
        self._input_tokens = input_tokens

    def piece(self, sound: bytes) -> bytes:
        return _event({"type": "speech.audio.delta", "audio": base64.b64encode(sound).decode()})

    def last(self, usage: Usage) -> bytes:
        told = {
            "input_tokens": self._input_tokens,
            "output_tokens": 0,
            "total_tokens": self._input_tokens,
            **usage.shown_cost(),
        }
        return _event({"type": "speech.audio.done", "usage": told})

    def failed(self, error: ApiError) -> bytes:
        return b"data: " + error.body() + b"\n\n"


def _event(fields: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"
