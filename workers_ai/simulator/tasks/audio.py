"""Speech to text, text to speech, and detecting whether somebody has finished speaking."""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from typing import Any

from workers_ai.simulator.calls import Call
from workers_ai.simulator.models.metering import audio_neurons, speech_neurons
from workers_ai.simulator.pacing import TASK_SECONDS, TOKEN_SECONDS
from workers_ai.simulator.replies import (
    AnyReply,
    BadInput,
    Refusal,
    Reply,
    StreamReply,
    model_message,
    success,
)
from workers_ai.simulator.tasks import sound
from workers_ai.simulator.validation import byte_values, require_valid
from workers_ai.whisper_languages import WHISPER_LANGUAGES

SECONDS_PER_WORD = 0.4
_SPOKEN = (
    "This", "is", "a", "simulated", "transcript", "that", "goes", "on", "for", "as", "long", "as",
    "the", "recording", "does",
)  # fmt: skip
_TRANSLATED = ("What", "was", "said", "comes", "out", "in", "English", "and")


def spoken_words(
    seconds: float, prefix: str = "", spoken: tuple[str, ...] = _SPOKEN
) -> list[dict[str, Any]]:
    """As many words as fit into the recording, with their times."""
    count = max(1, int(seconds / SECONDS_PER_WORD))
    words = [*prefix.split(), *(spoken[n % len(spoken)] for n in range(count))][:count]
    step = seconds / count
    return [
        {"word": word, "start": round(n * step, 2), "end": round((n + 1) * step, 2)}
        for n, word in enumerate(words)
    ]


def _text(words: list[dict[str, Any]]) -> str:
    return " ".join(word["word"] for word in words)


def _vtt(words: list[dict[str, Any]]) -> str:
    lines = ["WEBVTT", ""]
    for start in range(0, len(words), 8):
        part = words[start : start + 8]
        lines += [f"{_clock(part[0]['start'])} --> {_clock(part[-1]['end'])}", _text(part), ""]
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02}:{rest:06.3f}"


async def transcribe(call: Call) -> Reply:
    if "nova-3" in call.model:
        return await transcribe_with_deepgram(call)
    if "large-v3-turbo" in call.model:
        return await transcribe_base64(call)
    if "flux" in call.model:
        raise BadInput("the model takes a WebSocket connection only")
    return await transcribe_bytes(call)


async def transcribe_bytes(call: Call) -> Reply:
    """whisper and whisper-tiny-en: the recording as the body, or as a list of byte values."""
    data = call.body
    if call.content_type == "application/json":
        body = call.json_object()
        require_valid(call.schema(), body)
        data = byte_values(body["audio"], "/audio")
    seconds = _measured(data)
    await call.pace.wait(TASK_SECONDS)
    words = spoken_words(seconds)
    result = {
        "text": _text(words),
        "word_count": len(words),
        "words": words,
        "vtt": _vtt(words),
    }
    return success(result, cf_ai_neurons=str(audio_neurons(call.entry(), seconds)))


async def transcribe_base64(call: Call) -> Reply:
    """whisper-large-v3-turbo: base64 in JSON, and no other way."""
    if call.content_type != "application/json":
        raise BadInput("required properties at '/' are 'audio'")
    body = call.json_object()
    if "audio" in body and not isinstance(body["audio"], str):
        raise Refusal(400, 5004, model_message("Invalid data type for base64 input"))
    require_valid(call.schema(), body)
    try:
        data = base64.b64decode(body["audio"], validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, 5004, model_message("Invalid data type for base64 input")) from None
    language = body.get("language") or "en"
    task = body.get("task") or "transcribe"
    if language not in WHISPER_LANGUAGES or task not in ("transcribe", "translate"):
        raise Refusal(400, 8001, model_message("Invalid input"))
    seconds = _measured(data)
    await call.pace.wait(TASK_SECONDS)
    spoken = _TRANSLATED if task == "translate" else _SPOKEN
    words = spoken_words(seconds, body.get("prefix") or "", spoken)
    result = {
        "transcription_info": {
            "language": language,
            "language_probability": 1,
            "duration": round(seconds, 3),
            "duration_after_vad": round(seconds, 3),
        },
        "text": _text(words),
        "word_count": len(words),
        "segments": [_segment(words[n : n + 10]) for n in range(0, len(words), 10)],
        "vtt": _vtt(words),
    }
    return success(result, cf_ai_neurons=str(audio_neurons(call.entry(), seconds)))


def _segment(words: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "start": words[0]["start"],
        "end": words[-1]["end"],
        "text": _text(words),
        "temperature": 0,
        "avg_logprob": -0.2,
        "compression_ratio": 0.9,
        "no_speech_prob": 0.01,
        "words": words,
    }


async def transcribe_with_deepgram(call: Call) -> Reply:
    """nova-3: the recording as the body, everything else in the query."""
    if call.content_type in ("application/json", "") or call.content_type.startswith("multipart"):
        raise BadInput("required properties at '/audio' are 'body,contentType'")
    seconds = _measured(call.body)
    if not any(call.body[64:]):
        raise Refusal(400, 8001, model_message("corrupt or unsupported audio data"))
    await call.pace.wait(TASK_SECONDS)
    words = [{**word, "confidence": 0.98} for word in spoken_words(seconds)]
    transcript = _text(words)
    if "true" in (call.query.get("punctuate"), call.query.get("smart_format")):
        transcript += "."
    else:
        transcript = transcript.lower()
    best = {"transcript": transcript, "confidence": 0.99, "words": words}
    result = {"results": {"channels": [{"alternatives": [best]}]}}
    return success(result, cf_ai_neurons=str(audio_neurons(call.entry(), seconds)))


def _measured(data: bytes) -> float:
    if not data:
        raise Refusal(400, 3003, "Request is missing headers or body")
    return sound.duration_seconds(data)


async def turn(call: Call) -> Reply:
    """smart-turn: whether the speaker has finished; so it seems after a second."""
    data = call.body
    if call.content_type == "application/json":
        body = call.json_object()
        require_valid(call.schema(), body)
        data = base64.b64decode(body["audio"]) if isinstance(body["audio"], str) else b"\0"
    seconds = _measured(data)
    await call.pace.wait(TASK_SECONDS)
    probability = round(min(0.98, 0.3 + seconds / 2), 2)
    neurons = str(audio_neurons(call.entry(), seconds))
    result = {"is_complete": probability > 0.5, "probability": probability}
    return success(result, cf_ai_neurons=neurons)


async def speak(call: Call) -> AnyReply:
    return await (speak_melo(call) if "melotts" in call.model else speak_aura(call))


async def speak_melo(call: Call) -> Reply:
    body = call.json_object()
    require_valid(call.schema(), body)
    await call.pace.wait(TASK_SECONDS)
    text = body["prompt"]
    seconds = sound.seconds_of_speech(text)
    neurons = speech_neurons(call.entry(), len(text), seconds)
    # Declared as MP3 and really a WAV, as has been reported; clients must look at the bytes.
    audio = base64.b64encode(sound.wav(text)).decode()
    return success({"audio": audio}, cf_ai_neurons=str(neurons))


# What each encoding may be wrapped in, the usual one first, and what its bytes are then called.
_CONTAINERS: Mapping[str, tuple[str, ...]] = {
    "linear16": ("wav", "none"),
    "mulaw": ("wav", "none"),
    "alaw": ("wav", "none"),
    "opus": ("ogg",),
    "mp3": ("none",),
    "flac": ("none",),
    "aac": ("none",),
}
_CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "mulaw": "audio/mulaw",
    "alaw": "audio/alaw",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "aac": "audio/aac",
}
_PIECE_BYTES = 2048
# Of one request to Deepgram's voices.
MOST_CHARACTERS = 2000


async def speak_aura(call: Call) -> StreamReply:
    """Deepgram's voices: raw audio, sent while it is made, MP3 unless told otherwise."""
    body = call.json_object()
    require_valid(call.schema(), body)
    text, encoding = body["text"], body.get("encoding", "mp3")
    if not text.strip():
        raise Refusal(400, 8001, model_message("No text to speak"))
    if len(text) > MOST_CHARACTERS:
        words = f"Input text exceeds maximum character limit of {MOST_CHARACTERS}."
        raise Refusal(400, 3030, model_message(words))
    container = body.get("container") or _CONTAINERS[encoding][0]
    if container not in _CONTAINERS[encoding]:
        raise BadInput(f"'/container' {container} does not go with encoding {encoding}")
    rate = int(body.get("sample_rate") or sound.SAMPLE_RATE)
    await call.pace.wait(TASK_SECONDS)
    neurons = speech_neurons(call.entry(), len(text), sound.seconds_of_speech(text))
    audio, kind = _encoded(text, encoding, container, rate)
    headers = {"cf-ai-neurons": str(neurons)}
    return StreamReply(_in_pieces(call, audio), content_type=kind, headers=headers)


async def _in_pieces(call: Call, audio: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(audio), _PIECE_BYTES):
        await call.pace.wait(TOKEN_SECONDS)
        yield audio[start : start + _PIECE_BYTES]


def _encoded(text: str, encoding: str, container: str, rate: int) -> tuple[bytes, str]:
    if encoding == "linear16":
        if container == "wav":
            return sound.wav(text, rate), "audio/wav"
        return sound.samples(text, rate).tobytes(), f"audio/l16;rate={rate}"
    if encoding in ("mulaw", "alaw"):
        return sound.mulaw(text, rate, a_law=encoding == "alaw"), _CONTENT_TYPES[encoding]
    if encoding == "flac":
        return sound.flac(text, rate), _CONTENT_TYPES[encoding]
    made = {"mp3": sound.mp3, "opus": sound.opus, "aac": sound.aac}[encoding](text)
    return made, _CONTENT_TYPES[encoding]
