"""What `POST /v1/audio/speech` accepts. Pure.

Comes in: the parsed body. Goes out: a SpeechRequest. Raises BadRequest naming the `param`.
"""

from dataclasses import dataclass
from typing import Any

from openai_api.errors import BadRequest
from openai_api.wire.declared import Choice, FilledText, Number, Text

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
LONGEST_INPUT = 4096


class Fields:
    model = FilledText(examples=["@cf/deepgram/aura-1"])
    input = FilledText(narrowed={"maxLength": LONGEST_INPUT}, examples=["Good evening."])
    voice = Text("OpenAI's names lead to the nearest voice.", examples=["alloy"])
    response_format = Choice(FORMATS, "What the model cannot give is refused by name.")
    stream_format = Choice(("audio", "sse"))
    speed = Number(0.25, 4, "Models speak at one speed.", narrowed={"enum": [1]})
    instructions = Text("Ignored.")
    user = Text()


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
    model = Fields.model(body)
    text = Fields.input(body)
    if len(text) > LONGEST_INPUT:
        raise BadRequest(
            f"Invalid 'input': string too long. It takes at most {LONGEST_INPUT} characters, "
            f"but got {len(text)}.",
            param="input",
            code="string_above_max_length",
        )
    Fields.instructions(body)
    _check_speed(body)
    return SpeechRequest(
        model=model,
        text=text,
        voice=_voice(body),
        response_format=Fields.response_format(body) or "mp3",
        stream=Fields.stream_format(body) == "sse",
        user=Fields.user(body) or "",
    )


def _check_speed(body: dict[str, Any]) -> None:
    speed = Fields.speed(body)
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
    return Fields.voice(body) or None
