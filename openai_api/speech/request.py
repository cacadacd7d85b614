"""What `POST /v1/audio/speech` accepts. Pure.

Comes in: the parsed body. Goes out: a SpeechRequest. Raises BadRequest naming the `param`.
"""

from dataclasses import dataclass
from typing import Any

from openai_api.errors import BadRequest
from openai_api.wire import fields

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
LONGEST_INPUT = 4096


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """`stream` asks for events instead of bytes; both are sent as they come."""

    model: str
    text: str
    voice: str | None = None
    response_format: str = "mp3"
    stream: bool = False
    user: str = ""


def read(body: dict[str, Any]) -> SpeechRequest:
    """The request in `body`; raises BadRequest."""
    model = fields.text(body, "model", required=True) or ""
    text = fields.text(body, "input", required=True) or ""
    if len(text) > LONGEST_INPUT:
        raise BadRequest(
            f"Invalid 'input': string too long. It takes at most {LONGEST_INPUT} characters, "
            f"but got {len(text)}.",
            param="input",
            code="string_above_max_length",
        )
    fields.text(body, "instructions")
    _check_speed(body)
    return SpeechRequest(
        model=model,
        text=text,
        voice=_voice(body),
        response_format=fields.choice(body, "response_format", FORMATS) or "mp3",
        stream=fields.choice(body, "stream_format", ("audio", "sse")) == "sse",
        user=fields.text(body, "user") or "",
    )


def _check_speed(body: dict[str, Any]) -> None:
    speed = fields.number(body, "speed", 0.25, 4)
    if speed not in (None, 1):
        raise BadRequest(
            f"Unsupported value for 'speed': models of Workers AI speak at one speed, but got "
            f"{speed:g}. Leave it out or send 1.",
            param="speed",
            code="unsupported_value",
        )


def _voice(body: dict[str, Any]) -> str | None:
    if isinstance(body.get("voice"), dict):
        raise BadRequest(
            "Custom voices do not exist on this gateway: send the name of a voice as 'voice'.",
            param="voice",
            code="unsupported_value",
        )
    return fields.text(body, "voice") or None
