"""A recording → one upstream call, in the form that the model takes recordings. Pure.

Comes in: a TranscriptionRequest, the catalog's record and the task. Goes out: a TranscriptionPlan.
OpenAI's options that a model has no field for are left out, since they are hints. Raises BadRequest
for a language that does not exist.
"""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from catalog.classify.facts import AudioFacts
from catalog.snapshot import ModelRecord
from openai_api.transcriptions.request import TranscriptionRequest
from openai_api.wire.fields import wrong_value
from workers_ai import audio_file
from workers_ai.whisper_languages import WHISPER_LANGUAGES

_CODES_BY_NAME = {name: code for code, name in WHISPER_LANGUAGES.items()}
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*|multi", re.IGNORECASE)
_TYPES_BY_ENDING = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "mpga": "audio/mpeg",
    "mpeg": "audio/mpeg",
    "m4a": "audio/mp4",
    "mp4": "audio/mp4",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "webm": "audio/webm",
    "aac": "audio/aac",
}


@dataclass(frozen=True, slots=True)
class TranscriptionPlan:
    """`options` go into a JSON body beside the recording, `params` into the query."""

    task: str
    content_type: str
    as_json: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


def translate(asked: TranscriptionRequest, model: ModelRecord, *, task: str) -> TranscriptionPlan:
    """The plan for this model; `task` is Whisper's word, transcribe or translate."""
    audio = model.audio or AudioFacts(sent_as="binary")
    if audio.sent_as == "stream_object":
        return TranscriptionPlan(task, media_type_of(asked), params=_deepgram(asked, audio))
    language = _whisper_code(asked.language)
    if audio.sent_as != "json_base64":
        return TranscriptionPlan(task, media_type_of(asked))
    wanted = {
        "task": task,
        "language": language,
        "initial_prompt": asked.prompt or ", ".join(asked.keywords),
    }
    options = {name: value for name, value in wanted.items() if value and name in audio.parameters}
    return TranscriptionPlan(task, "application/json", as_json=True, options=options)


def body_of(plan: TranscriptionPlan, recording: bytes) -> bytes:
    """The body of the call. Encoding a large recording takes long: not on the event loop."""
    if not plan.as_json:
        return recording
    # Written around the base64 text, so that no encoder has to scan it.
    rest = b"," + orjson.dumps(plan.options)[1:] if plan.options else b"}"
    return b'{"audio":"' + base64.b64encode(recording) + b'"' + rest


def media_type_of(asked: TranscriptionRequest) -> str:
    """The recording's media type: by its bytes, else as its sender names it."""
    recording = asked.recording
    found = audio_file.format_of(recording.data[:64])
    if found is not None:
        return audio_file.MEDIA_TYPES[found].partition(";")[0]
    # The sender's media type goes into a header, so it must look like one.
    if re.fullmatch(r"(audio|video)/[\w.+-]+", recording.media_type, re.ASCII):
        return recording.media_type
    ending = recording.filename.rpartition(".")[2].lower()
    return _TYPES_BY_ENDING.get(ending, "application/octet-stream")


def _whisper_code(language: str | None) -> str | None:
    """The code that Whisper knows the language by, from a code, a tag such as en-US, or a name."""
    if not language:
        return None
    named = language.strip().lower()
    code = named.partition("-")[0]
    if code in WHISPER_LANGUAGES:
        return code
    if named in _CODES_BY_NAME:
        return _CODES_BY_NAME[named]
    raise wrong_value("language", "an ISO-639-1 code such as 'en'", language)


def _deepgram(asked: TranscriptionRequest, audio: AudioFacts) -> dict[str, Any]:
    wanted: dict[str, Any] = {"smart_format": "true", "punctuate": "true"}
    if asked.language:
        named = asked.language.strip()
        tag = _CODES_BY_NAME.get(named.lower(), named)
        if not _LANGUAGE_TAG.fullmatch(tag):
            raise wrong_value("language", "a code such as 'en' or 'en-US'", asked.language)
        wanted["language"] = tag
    else:
        wanted["detect_language"] = "true"
    if asked.keywords:
        wanted["keyterm"] = list(asked.keywords)
    return {name: value for name, value in wanted.items() if name in audio.parameters}
