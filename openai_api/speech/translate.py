"""A speech request → the bodies of upstream calls, in the model's own fields. Pure.

Comes in: a SpeechRequest and the catalog's record. Goes out: a SpeechPlan. Raises BadRequest for
what the model cannot do.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from catalog.classify.facts import AudioFacts
from catalog.snapshot import ModelRecord
from openai_api.errors import BadRequest
from openai_api.speech.request import SpeechRequest
from openai_api.speech.voices import voice_fields

# OpenAI's `pcm` is mono of 16 bits at this rate, and its `wav` the same with a header.
SAMPLES_PER_SECOND = 24_000
BYTES_PER_SAMPLE = 2
# OpenAI's format → upstream's encoding, in the container that goes with it.
_ENCODINGS: dict[str, dict[str, Any]] = {
    "mp3": {"encoding": "mp3"},
    "opus": {"encoding": "opus", "container": "ogg"},
    "aac": {"encoding": "aac"},
    "flac": {"encoding": "flac"},
    "wav": {"encoding": "linear16", "container": "wav", "sample_rate": SAMPLES_PER_SECOND},
    "pcm": {"encoding": "linear16", "container": "none", "sample_rate": SAMPLES_PER_SECOND},
}
# The format of models whose schema offers no choice.
ONLY_FORMAT = "mp3"


@dataclass(frozen=True, slots=True)
class SpeechPlan:
    """What is spoken, how, and what it will be charged for."""

    text: str
    text_field: str
    values: dict[str, Any]
    response_format: str

    @property
    def characters(self) -> int:
        return len(self.text)

    def body(self, part: str) -> bytes:
        """The body of the call that speaks this part of the text."""
        return orjson.dumps({self.text_field: part, **self.values})


def translate(asked: SpeechRequest, model: ModelRecord) -> SpeechPlan:
    """The plan for this model; raises BadRequest."""
    audio = model.audio or AudioFacts(text_field="text")
    values: dict[str, Any] = dict(voice_fields(asked.voice, audio, model=asked.model))
    formats = formats_of(audio)
    if asked.response_format not in formats:
        supported = ", ".join(f"'{name}'" for name in formats)
        raise BadRequest(
            f"Unsupported value for 'response_format': `{asked.model}` gives {supported}, but not "
            f"'{asked.response_format}'.",
            param="response_format",
            code="unsupported_value",
        )
    if "encoding" in audio.parameters:
        values |= _ENCODINGS[asked.response_format]
    return SpeechPlan(asked.text, audio.text_field or "text", values, asked.response_format)


def formats_of(audio: AudioFacts) -> tuple[str, ...]:
    """OpenAI's formats that the model's schema can give."""
    if "encoding" not in audio.parameters:
        return (ONLY_FORMAT,)
    return tuple(name for name, wanted in _ENCODINGS.items() if _can_give(audio, wanted))


def _can_give(audio: AudioFacts, wanted: dict[str, Any]) -> bool:
    for name, value in wanted.items():
        parameter = audio.parameters.get(name)
        if parameter is None or (parameter.choices and value not in parameter.choices):
            return False
    return True
