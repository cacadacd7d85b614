"""A transcript → OpenAI's answers: JSON, plain text, subtitles, or events. Pure."""

import re
from collections.abc import Collection, Iterator
from typing import Any

import orjson

from openai_api.errors import ApiError
from openai_api.transcriptions.request import TranscriptionRequest
from openai_api.transcriptions.transcript import Segment, Transcript, transcript_of
from openai_api.use.usage import Usage
from workers_ai.errors import UnusableAnswer
from workers_ai.sse import Event
from workers_ai.whisper_languages import WHISPER_LANGUAGES

CONTENT_TYPES = {
    "json": "application/json",
    "verbose_json": "application/json",
    "text": "text/plain; charset=utf-8",
    "srt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}
# A transcript comes whole from upstream and is streamed in pieces of about a line.
_DELTAS = re.compile(r"(?:\S+\s*){1,12}")


def body(
    heard: Transcript, asked: TranscriptionRequest, *, task: str, duration_s: float, usage: Usage
) -> bytes:
    """The answer in the format asked for."""
    if asked.response_format == "text":
        return f"{heard.text}\n".encode()
    if asked.response_format == "srt":
        return "".join(_srt(heard.segments)).encode()
    if asked.response_format == "vtt":
        return ("WEBVTT\n\n" + "".join(_vtt(heard.segments))).encode()
    if asked.response_format == "verbose_json":
        answer = _verbose(heard, asked, task=task, duration_s=duration_s)
    else:
        answer = {"text": heard.text}
    if task == "transcribe":
        answer["usage"] = {
            "type": "duration",
            "seconds": round(duration_s, 3),
            **usage.shown_cost(),
        }
    return orjson.dumps(answer)


def _verbose(
    heard: Transcript, asked: TranscriptionRequest, *, task: str, duration_s: float
) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "task": task,
        "language": _language(heard, asked, task),
        "duration": round(duration_s, 3),
        "text": heard.text,
    }
    if asked.words:
        answer["words"] = [
            {"word": word.text, "start": word.start_s, "end": word.end_s} for word in heard.words
        ]
    if asked.segments:
        answer["segments"] = [_segment(n, one) for n, one in enumerate(heard.segments)]
    return answer


def _language(heard: Transcript, asked: TranscriptionRequest, task: str) -> str:
    """The language by its name, as OpenAI gives it: of the speech, or of its translation."""
    if task == "translate":
        return "english"
    code = (heard.language or asked.language or "").lower()
    return WHISPER_LANGUAGES.get(code.partition("-")[0], code or "unknown")


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        # The start of Whisper's window of 30 seconds, in hundredths; the segment's own start
        # serves.
        "seek": round(segment.start_s * 100),
        "start": segment.start_s,
        "end": segment.end_s,
        "text": segment.text,
        "tokens": [],
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _srt(segments: Collection[Segment]) -> Iterator[str]:
    for number, segment in enumerate(segments, 1):
        start, end = _clock(segment.start_s, ","), _clock(segment.end_s, ",")
        yield f"{number}\n{start} --> {end}\n{_line(segment)}\n\n"


def _vtt(segments: Collection[Segment]) -> Iterator[str]:
    for segment in segments:
        start, end = _clock(segment.start_s, "."), _clock(segment.end_s, ".")
        yield f"{start} --> {end}\n{_line(segment)}\n\n"


def _line(segment: Segment) -> str:
    """The text without what would end a cue or begin another."""
    return " ".join(segment.text.replace("-->", "->").split())


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    minutes, ms = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{ms // 1000:02}{point}{ms % 1000:03}"


class TranscriptStream:
    """The transcript in OpenAI's events. Upstream answers whole; until then the client gets
    comments.
    """

    finish_reason = ""
    done = finished = False

    def __init__(self) -> None:
        self.heard: Transcript | None = None

    @property
    def answered(self) -> bool:
        return self.heard is not None

    def events(self, events: Collection[Event]) -> bytes:
        return b""

    def whole(self, content: bytes) -> bytes:
        self.heard = transcript_of(content)
        deltas = _DELTAS.findall(self.heard.text)
        return b"".join(_event({"type": "transcript.text.delta", "delta": d}) for d in deltas)

    def end(self) -> bytes:
        if self.heard is None:
            raise UnusableAnswer("Workers AI answered without a transcript")
        return b""

    def last(self, usage: Usage) -> bytes:
        text = self.heard.text if self.heard is not None else ""
        return _event({"type": "transcript.text.done", "text": text})

    def failed(self, error: ApiError) -> bytes:
        return b"data: " + error.body() + b"\n\n"

    def anew(self) -> "TranscriptStream":
        return TranscriptStream()


def _event(fields: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"
