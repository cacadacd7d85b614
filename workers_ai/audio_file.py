"""Reads from a sound file's bytes its format and how long it plays. Pure; never raises.

Only headers and a few frames are read, so that a long file costs no more than a short one. A file
that is still being written, or whose header is wrong, has no length or an approximate one.
"""

import math
import struct
from collections.abc import Iterator

MEDIA_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "opus": "audio/ogg; codecs=opus",
    "ogg": "audio/ogg",
    "mp4": "audio/mp4",
    "webm": "audio/webm",
    "aac": "audio/aac",
    "amr": "audio/amr",
}

# Enough for the average of a variable bit rate.
FRAMES_READ = 500
# The last page of an Ogg file begins within this much of its end.
TAIL_BYTES = 65_536
OPUS_RATE = 48_000
MOST_SECONDS = 1e7
# A file of more parts is not written by anybody's recorder.
MOST_CHUNKS = 1000
MOST_HEADER_BYTES = 65_536
# Compressed sound that people send has no more bytes a second (MP3 at its highest rate), samples no
# more than two channels of 16 bits at 48 kHz.
MOST_COMPRESSED_BYTES_PER_SECOND = 40_000
MOST_SAMPLE_BYTES_PER_SECOND = 192_000
# Samples as they are: integers, floats, A-law, mu-law, and any of these in the extended header.
_SAMPLES = (1, 3, 6, 7, 0xFFFE)

_MP3_KBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_AAC_RATES = (
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
)  # fmt: skip


def format_of(head: bytes) -> str | None:
    """The format by the first bytes of a file: one of `MEDIA_TYPES`."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS":
        return "opus" if b"OpusHead" in head[:64] else "ogg"
    if head[4:8] == b"ftyp":
        return "mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "webm"
    if head[:5] == b"#!AMR":
        return "amr"
    if head[:3] == b"ID3":
        return "mp3"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # Layer 0 is what ADTS writes where an MPEG frame has its layer.
        if head[1] & 0xF6 == 0xF0:
            return "aac"
        return "mp3" if head[1] & 0x06 == 0x02 else None
    return None


def seconds(head: bytes, *, size: int | None = None, tail: bytes | None = None) -> float | None:
    """How long the file plays; None where it does not say.

    `head` is the file, or its beginning when `size` and `tail`, its last bytes, are given too.
    """
    size = len(head) if size is None else size
    tail = head[-TAIL_BYTES:] if tail is None else tail
    kind = format_of(head)
    try:
        found = _seconds(kind, head, size, tail)
    except (struct.error, IndexError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if found is None or not math.isfinite(found) or not 0 < found <= MOST_SECONDS:
        return None
    return found


def _seconds(kind: str | None, head: bytes, size: int, tail: bytes) -> float | None:
    if kind == "wav":
        return _wav(head, size)
    if kind == "mp3":
        return _mp3(head, size)
    if kind == "aac":
        return _aac(head, size)
    if kind == "flac":
        return _flac(head)
    if kind in ("opus", "ogg"):
        return _ogg(head, tail)
    if kind == "mp4":
        return _mp4(head)
    return _webm(head) if kind == "webm" else None


def least_seconds(data: bytes) -> float:
    """How long the sound in these bytes plays at least, whatever length its header claims.

    Samples that are not compressed are counted by their format, which the header has to tell as it
    is, or nobody hears what was said; all else by the most bytes that a second of it has.
    """
    per_second, beside = MOST_COMPRESSED_BYTES_PER_SECOND, 0
    if format_of(data) == "wav":
        for name, at, length in _wav_chunks(data):
            if name == b"fmt " and length >= 16 and at + 16 <= len(data):
                per_second = _sample_bytes_per_second(data, at)
            elif name == b"data":
                beside = min(at, MOST_HEADER_BYTES)
                break
    return (len(data) - beside) / per_second


def _sample_bytes_per_second(data: bytes, at: int) -> int:
    form, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at)
    found: int = rate * channels * bits // 8
    if form not in _SAMPLES or not found:
        return MOST_COMPRESSED_BYTES_PER_SECOND
    return min(found, MOST_SAMPLE_BYTES_PER_SECOND)


def _wav_chunks(head: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin of the contents and length of each chunk."""
    at = 12
    for _ in range(MOST_CHUNKS):
        if at + 8 > len(head):
            return
        name, length = struct.unpack_from("<4sI", head, at)
        yield name, at + 8, length
        at += 8 + length + length % 2


def _wav(head: bytes, size: int) -> float | None:
    bytes_per_second = 0
    for name, at, length in _wav_chunks(head):
        if name == b"fmt ":
            bytes_per_second = struct.unpack_from("<I", head, at + 8)[0]
        elif name == b"data":
            # A file written while it was made does not know its length and gives 0 or the most.
            there = size - at
            return (min(length, there) if length else there) / bytes_per_second
    return None


def _mp3(head: bytes, size: int) -> float | None:
    start = 0
    if head[:3] == b"ID3":
        start = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    rate, in_frame = _mp3_rates(head, start)
    tag = max(head.find(b"Xing", start, start + 200), head.find(b"Info", start, start + 200))
    if tag > 0 and head[tag + 7] & 1:
        return float(struct.unpack_from(">I", head, tag + 8)[0] * in_frame / rate)
    lengths = list(_mp3_frames(head, start))
    played = len(lengths) * in_frame / rate
    return played * (size - start) / sum(lengths)


def _mp3_rates(head: bytes, start: int) -> tuple[int, int]:
    """Samples per second and per frame, as the first frame has them."""
    version = head[start + 1] >> 3 & 3
    if head[start] != 0xFF or version == 1:
        raise ValueError("no frame where the first should be")
    return _MP3_RATES[version][head[start + 2] >> 2 & 3], 1152 if version == 3 else 576


def _mp3_frames(head: bytes, at: int) -> Iterator[int]:
    for _ in range(FRAMES_READ):
        if at + 4 > len(head) or head[at] != 0xFF or head[at + 1] & 0xE6 != 0xE2:
            return
        version, kbit_index = head[at + 1] >> 3 & 3, head[at + 2] >> 4
        if version == 1 or kbit_index in (0, 15) or head[at + 2] >> 2 & 3 == 3:
            return
        rate = _MP3_RATES[version][head[at + 2] >> 2 & 3]
        kbit = _MP3_KBITS[3 if version == 3 else 2][kbit_index]
        per_frame = 144 if version == 3 else 72
        length = per_frame * kbit * 1000 // rate + (head[at + 2] >> 1 & 1)
        yield length
        at += length


def _aac(head: bytes, size: int) -> float | None:
    rate = _AAC_RATES[head[2] >> 2 & 15]
    lengths: list[int] = []
    at = 0
    while at + 7 <= len(head) and len(lengths) < FRAMES_READ and head[at] == 0xFF:
        length = (head[at + 3] & 3) << 11 | head[at + 4] << 3 | head[at + 5] >> 5
        if length < 7:
            break
        lengths.append(length)
        at += length
    return len(lengths) * 1024 / rate * size / sum(lengths)


def _flac(head: bytes) -> float | None:
    told = int.from_bytes(head[18:26], "big")
    return (told & (1 << 36) - 1) / (told >> 44)


def _ogg(head: bytes, tail: bytes) -> float | None:
    skipped = 0
    if (opus := head.find(b"OpusHead", 0, 256)) > 0:
        rate, skipped = OPUS_RATE, struct.unpack_from("<H", head, opus + 10)[0]
    elif (vorbis := head.find(b"\x01vorbis", 0, 256)) > 0:
        rate = struct.unpack_from("<I", head, vorbis + 12)[0]
    elif (speex := head.find(b"Speex   ", 0, 256)) > 0:
        rate = struct.unpack_from("<I", head, speex + 36)[0]
    else:
        return None
    last = tail.rfind(b"OggS")
    while last >= 0:
        samples = int(struct.unpack_from("<q", tail, last + 6)[0])
        if samples >= 0:
            return float((samples - skipped) / rate)
        # A page on which no packet ends has no time of its own.
        last = tail.rfind(b"OggS", 0, last)
    return None


def _mp4(head: bytes) -> float | None:
    at = 0
    for _ in range(MOST_CHUNKS):
        if at + 8 > len(head):
            return None
        length, name = struct.unpack_from(">I4s", head, at)
        if length == 1:
            length = struct.unpack_from(">Q", head, at + 8)[0]
        if name == b"moov":
            return _movie_header(head, head.index(b"mvhd", at) + 4)
        if length < 8:
            return None
        at += length
    return None


def _movie_header(head: bytes, at: int) -> float:
    form, skipped = (">IQ", 20) if head[at] == 1 else (">II", 12)
    scale, length = struct.unpack_from(form, head, at + skipped)
    return float(length / scale)


def _webm(head: bytes) -> float | None:
    """The segment's Duration, which recordings made live lack; in its TimestampScale."""
    start = head[:4096]
    scale_ns = 1_000_000
    at = start.find(b"\x2a\xd7\xb1")
    if at > 0:
        length = start[at + 3] & 0x0F
        scale_ns = int.from_bytes(start[at + 4 : at + 4 + length], "big")
    at = start.find(b"\x44\x89\x88")
    if at > 0:
        return float(struct.unpack_from(">d", start, at + 3)[0]) * scale_ns / 1e9
    at = start.find(b"\x44\x89\x84")
    return float(struct.unpack_from(">f", start, at + 3)[0]) * scale_ns / 1e9 if at > 0 else None
