"""What Workers AI heard, whatever form it came in: one text, its words and segments with times.
Pure.

Whisper answers with words and a WebVTT text, its large version with segments that hold words,
Deepgram with channels of alternatives; any of them may be missing but the text. Raises
UnusableAnswer where there is no text, and Refused for an error in the answer.
"""

import math
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from workers_ai.envelope import opened
from workers_ai.errors import UnusableAnswer

# How words are cut into segments when upstream gives none: so that subtitles read well.
LONGEST_SEGMENT_CHARACTERS = 84
LONGEST_SEGMENT_S = 7.0
LONGEST_PAUSE_S = 1.0
_SENTENCE_ENDS = (".", "?", "!", "。", "？", "！")
# Hours are optional in WebVTT.
_CUE = re.compile(
    r"^(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})[ \t]+-->[ \t]+(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3}).*\n"
    r"((?:.+(?:\n|$))+)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Figures that upstream does not give are those of a clear recording."""

    start_s: float
    end_s: float
    text: str
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """`duration_s` is None where upstream names neither a length nor any time; with
    `tells_duration` it is the length of the recording, and else the end of the last word.
    """

    text: str
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()
    language: str | None = None
    duration_s: float | None = None
    tells_duration: bool = False


def transcript_of(content: bytes) -> Transcript:
    """The transcript in the body of an upstream answer."""
    try:
        result = opened(orjson.loads(content))
    except orjson.JSONDecodeError:
        raise UnusableAnswer("Workers AI answered with a transcript that is not JSON") from None
    if isinstance(result, dict) and isinstance(result.get("results"), dict):
        return _deepgram(result)
    if isinstance(result, dict) and isinstance(result.get("text"), str):
        return _whisper(result)
    raise UnusableAnswer("Workers AI answered without a transcript")


def _whisper(result: dict[str, Any]) -> Transcript:
    text = result["text"].strip()
    info = _object(result.get("transcription_info"))
    told = [item for item in _list(result.get("segments")) if isinstance(item, dict)]
    words = tuple(_words(result.get("words"))) or tuple(
        word for item in told for word in _words(item.get("words"))
    )
    segments = tuple(_whisper_segments(told))
    if not segments and words:
        segments = tuple(cut(words, text))
    if not segments:
        segments = tuple(_cues(result.get("vtt")))
    return _timed(
        Transcript(
            text,
            words,
            segments,
            language=_text(info.get("language")),
            duration_s=_number(info.get("duration")),
        )
    )


def _whisper_segments(told: list[dict[str, Any]]) -> Iterator[Segment]:
    for item in told:
        start_s, end_s = _number(item.get("start")), _number(item.get("end"))
        text = item.get("text")
        if start_s is None or end_s is None or not isinstance(text, str):
            continue
        ratio = _number(item.get("compression_ratio"))
        yield Segment(
            start_s,
            end_s,
            text,
            temperature=_number(item.get("temperature")) or 0.0,
            avg_logprob=_number(item.get("avg_logprob"), low=-math.inf) or 0.0,
            compression_ratio=_compression_ratio(text) if ratio is None else ratio,
            no_speech_prob=_number(item.get("no_speech_prob")) or 0.0,
        )


def _deepgram(result: dict[str, Any]) -> Transcript:
    """The first channel's best alternative; other channels are other microphones."""
    channel = _object(next(iter(_list(result["results"].get("channels"))), None))
    best = _object(next(iter(_list(channel.get("alternatives"))), None))
    text = best.get("transcript")
    if not isinstance(text, str):
        raise UnusableAnswer("Workers AI answered without a transcript")
    text = text.strip()
    words = tuple(_words(best.get("words")))
    return _timed(
        Transcript(
            text,
            words,
            tuple(cut(words, text)),
            language=_text(channel.get("detected_language")),
            duration_s=_number(_object(result.get("metadata")).get("duration")),
        )
    )


def _timed(heard: Transcript) -> Transcript:
    """Adds a length, from the last time in it, and one segment where there are none."""
    ends = [word.end_s for word in heard.words] + [one.end_s for one in heard.segments]
    duration_s = heard.duration_s or (max(ends) if ends else None) or None
    segments = heard.segments
    if not segments and heard.text:
        ratio = _compression_ratio(heard.text)
        segments = (Segment(0.0, duration_s or 0.0, heard.text, compression_ratio=ratio),)
    return Transcript(
        heard.text,
        heard.words,
        segments,
        heard.language,
        duration_s,
        tells_duration=bool(heard.duration_s),
    )


def cut(words: Iterable[Word], text: str) -> Iterator[Segment]:
    """The words in segments that end with a sentence, at a pause, or at the greatest length."""
    words = list(words)
    shown = text.split()
    if len(shown) != len(words):
        # Words of the text have punctuation, but can be used only if there are as many as timed
        # words.
        shown = [word.text for word in words]
    first = 0
    for last, word in enumerate(words):
        following = words[last + 1] if last + 1 < len(words) else None
        if following is not None and not _ends_here(shown[first : last + 1], words[first], word):
            pause_s = following.start_s - word.end_s
            longer = len(" ".join(shown[first : last + 2])) > LONGEST_SEGMENT_CHARACTERS
            if pause_s < LONGEST_PAUSE_S and not longer:
                continue
        said = " ".join(shown[first : last + 1])
        yield Segment(
            words[first].start_s,
            word.end_s,
            said,
            avg_logprob=_avg_logprob(words[first : last + 1]),
            compression_ratio=_compression_ratio(said),
        )
        first = last + 1


def _ends_here(shown: list[str], first: Word, last: Word) -> bool:
    return shown[-1].endswith(_SENTENCE_ENDS) or last.end_s - first.start_s >= LONGEST_SEGMENT_S


def _avg_logprob(words: list[Word]) -> float:
    known = [math.log(word.confidence) for word in words if word.confidence]
    return round(sum(known) / len(known), 4) if known else 0.0


def _compression_ratio(text: str) -> float:
    """How much of the text repeats itself, computed as Whisper does."""
    said = text.encode("utf-8", "replace")
    return round(len(said) / len(zlib.compress(said)), 4)


def _words(told: Any) -> Iterator[Word]:
    for item in _list(told):
        if not isinstance(item, dict):
            continue
        text = item.get("punctuated_word") or item.get("word")
        start_s, end_s = _number(item.get("start")), _number(item.get("end"))
        if isinstance(text, str) and start_s is not None and end_s is not None:
            yield Word(text.strip(), start_s, end_s, _number(item.get("confidence"), high=1.0))


def _cues(vtt: Any) -> Iterator[Segment]:
    """The cues of a WebVTT text."""
    if not isinstance(vtt, str):
        return
    for cue in _CUE.finditer(vtt.replace("\r\n", "\n")):
        text = " ".join(cue[9].split())
        ratio = _compression_ratio(text)
        yield Segment(
            _clock_s(*cue.groups()[:4]),
            _clock_s(*cue.groups()[4:8]),
            text,
            compression_ratio=ratio,
        )


def _clock_s(hours: str | None, minutes: str, seconds: str, ms: str) -> float:
    return int((hours or "0")[:6]) * 3600 + int(minutes) * 60 + int(seconds) + int(ms) / 1000


def _number(value: Any, *, low: float = 0.0, high: float = 1e7) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and low <= value <= high else None


def _text(value: Any) -> str | None:
    return value.strip().lower() or None if isinstance(value, str) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
