"""Sound as bytes: how long a recording is, and speech of our own. Pure.

The speech is a tone for each word where samples are written as they are; formats that would need
an encoder are real files of silence.
"""

import io
import math
import struct
import wave
from array import array
from collections.abc import Iterator

from workers_ai import audio_file

SAMPLE_RATE = 24_000
WORDS_PER_SECOND = 2.5
# MPEG-2 Layer III, 48 kbit/s, 24 kHz, mono: what Deepgram's voices answer with by default.
_FRAME_HEADER = b"\xff\xf3\x64\xc0"
_FRAME_BYTES = 144
_FRAME_SECONDS = 576 / SAMPLE_RATE
# For formats that are not parsed: a speech codec's usual rate.
_GUESSED_BYTES_PER_SECOND = 16_000

# One frame of silence each, as encoders write it: mono, 20 ms of Opus and 1024 samples of AAC.
_OPUS_SILENCE = b"\xf8\xff\xfe"
_OPUS_SAMPLES = 960
_OPUS_RATE = 48_000
_OPUS_PRE_SKIP = 312
_PACKETS_A_PAGE = 50
_AAC_SILENCE = b"\x00\xc8\x00\x80\x23\x80"
_AAC_RATE = 24_000
_AAC_RATE_INDEX = 6
_FLAC_BLOCK = 4096


def seconds_of_speech(text: str) -> float:
    return max(0.4, len(text.split()) / WORDS_PER_SECOND)


def samples(text: str, sample_rate: int) -> "array[int]":
    """One tone for each word, its pitch by the word's letters, with pauses between."""
    made = array("h")
    tones: dict[str, array[int]] = {}
    for word in text.split() or [""]:
        if word not in tones:
            tones[word] = _tone(word, sample_rate)
        made.extend(tones[word])
    return made


def _tone(word: str, sample_rate: int) -> "array[int]":
    made = array("h")
    per_word = int(sample_rate / WORDS_PER_SECOND)
    pitch = 140 + sum(map(ord, word)) % 220
    for n in range(per_word):
        loudness = max(0.0, math.sin(math.pi * min(1.0, n / (per_word * 0.8))))
        made.append(int(9000 * loudness * math.sin(2 * math.pi * pitch * n / sample_rate)))
    return made


def wav(text: str, sample_rate: int = SAMPLE_RATE) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples(text, sample_rate).tobytes())
    return out.getvalue()


def mp3(text: str) -> bytes:
    """Silent frames, as many as speaking the text takes. Zeros in a frame decode to silence."""
    frames = math.ceil(seconds_of_speech(text) / _FRAME_SECONDS)
    return (_FRAME_HEADER + bytes(_FRAME_BYTES - len(_FRAME_HEADER))) * frames


def mulaw(text: str, sample_rate: int, *, a_law: bool = False) -> bytes:
    return bytes((_a_law if a_law else _mu_law)(one) for one in samples(text, sample_rate))


def _mu_law(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    size = min(abs(sample), 32635) + 132
    exponent = max(0, size.bit_length() - 8)
    return ~(sign | exponent << 4 | (size >> (exponent + 3)) & 0x0F) & 0xFF


def _a_law(sample: int) -> int:
    sign = 0x80 if sample >= 0 else 0
    size = min(abs(sample), 32767) >> 3
    exponent = max(0, size.bit_length() - 5)
    mantissa = (size >> max(1, exponent)) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55


def aac(text: str) -> bytes:
    """ADTS frames of silence."""
    length = 7 + len(_AAC_SILENCE)
    # AAC-LC, mono, no CRC, a buffer of unknown fullness.
    header = 0xFFF1 << 40 | 1 << 38 | _AAC_RATE_INDEX << 34 | 1 << 30 | length << 13 | 0x7FF << 2
    frame = header.to_bytes(7, "big") + _AAC_SILENCE
    return frame * math.ceil(seconds_of_speech(text) * _AAC_RATE / 1024)


def flac(text: str, sample_rate: int) -> bytes:
    """Frames whose every sample is 0."""
    samples_left = math.ceil(seconds_of_speech(text) * sample_rate)
    told = sample_rate << 44 | 15 << 36 | samples_left
    info = struct.pack(">HH6x8s16x", _FLAC_BLOCK, _FLAC_BLOCK, told.to_bytes(8, "big"))
    out = b"fLaC" + bytes([0x80, 0, 0, len(info)]) + info
    for number in range(math.ceil(samples_left / _FLAC_BLOCK)):
        block = min(_FLAC_BLOCK, samples_left)
        samples_left -= block
        # Block size behind the number, rate from the start, mono of 16 bits.
        head = b"\xff\xf8\x70\x08" + chr(number).encode() + struct.pack(">H", block - 1)
        frame = head + bytes([_crc(head, 8, 0x07)]) + bytes(3)
        out += frame + _crc(frame, 16, 0x8005).to_bytes(2, "big")
    return out


def opus(text: str) -> bytes:
    """Ogg pages of silence."""
    packets = math.ceil((seconds_of_speech(text) * _OPUS_RATE + _OPUS_PRE_SKIP) / _OPUS_SAMPLES)
    samples = round(seconds_of_speech(text) * _OPUS_RATE) + _OPUS_PRE_SKIP
    head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, _OPUS_PRE_SKIP, SAMPLE_RATE, 0, 0)
    name = b"Workers AI simulator"
    tags = b"OpusTags" + struct.pack("<I", len(name)) + name + bytes(4)
    return b"".join(_ogg_pages([(0, [head]), (0, [tags]), *_opus_pages(packets, samples)]))


def _opus_pages(packets: int, samples: int) -> Iterator[tuple[int, list[bytes]]]:
    """The time at which each page ends, and its packets."""
    for first in range(0, packets, _PACKETS_A_PAGE):
        last = min(packets, first + _PACKETS_A_PAGE)
        yield min(samples, last * _OPUS_SAMPLES), [_OPUS_SILENCE] * (last - first)


def _ogg_pages(pages: list[tuple[int, list[bytes]]]) -> Iterator[bytes]:
    for number, (samples, packets) in enumerate(pages):
        kind = 2 if number == 0 else 4 if number == len(pages) - 1 else 0
        sizes = bytes(len(packet) for packet in packets)
        page = struct.pack("<4sBBqIII", b"OggS", 0, kind, samples, 1, number, 0)
        page += bytes([len(sizes)]) + sizes + b"".join(packets)
        yield page[:22] + _crc(page, 32, 0x04C11DB7).to_bytes(4, "little") + page[26:]


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    remainder, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        remainder ^= byte << (bits - 8)
        for _ in range(8):
            carried = polynomial if remainder & top else 0
            remainder = (remainder << 1) & mask ^ carried
    return remainder


def duration_seconds(data: bytes) -> float:
    """How long a recording is; guessed from its size where it does not say."""
    return audio_file.seconds(data) or len(data) / _GUESSED_BYTES_PER_SECOND
