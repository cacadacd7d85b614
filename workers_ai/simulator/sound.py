"""Sound as bytes: how long a recording is, and speech of our own. Pure.

The speech is a tone for each word, in real WAV; MP3 is real frames of silence, since an encoder
would be a library of its own.
"""

import io
import math
import struct
import wave
from array import array

SAMPLE_RATE = 24_000
WORDS_PER_SECOND = 2.5
# MPEG-2 Layer III, 48 kbit/s, 24 kHz, mono: what Deepgram's voices answer with by default.
_FRAME_HEADER = b"\xff\xf3\x64\xc0"
_FRAME_BYTES = 144
_FRAME_SECONDS = 576 / SAMPLE_RATE
# For formats that are not looked into: a speech codec's usual rate.
_GUESSED_BYTES_PER_SECOND = 16_000

_BITRATES = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def seconds_of_speech(text: str) -> float:
    return max(0.4, len(text.split()) / WORDS_PER_SECOND)


def samples(text: str, sample_rate: int) -> "array[int]":
    """One tone a word, its height after the word's letters, with pauses between."""
    made = array("h")
    per_word = int(sample_rate / WORDS_PER_SECOND)
    for word in text.split() or [""]:
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
    """Silent frames, as many as saying the text takes. Noughts in a frame decode to silence."""
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


def duration_seconds(data: bytes) -> float:
    """How long a recording is: exact for WAV and MP3, guessed from its size for the rest."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _wav_seconds(data)
    if data[:3] == b"ID3" or (len(data) > 3 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0):
        return _mp3_seconds(data)
    return len(data) / _GUESSED_BYTES_PER_SECOND


def _wav_seconds(data: bytes) -> float:
    try:
        with wave.open(io.BytesIO(data)) as file:
            return file.getnframes() / (file.getframerate() or 1)
    except (wave.Error, EOFError, struct.error):
        return len(data) / _GUESSED_BYTES_PER_SECOND


def _mp3_seconds(data: bytes) -> float:
    at, seconds = 0, 0.0
    if data[:3] == b"ID3" and len(data) > 10:
        at = 10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9])
    while at + 4 <= len(data) and data[at] == 0xFF:
        version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
        rate_index, kbit_index = data[at + 2] >> 2 & 3, data[at + 2] >> 4
        if version == 1 or layer != 1 or rate_index == 3 or kbit_index in (0, 15):
            break
        rate = _RATES[version][rate_index]
        kbit = _BITRATES[3 if version == 3 else 2][kbit_index]
        in_frame = 1152 if version == 3 else 576
        at += in_frame // 8 * kbit * 1000 // rate + (data[at + 2] >> 1 & 1)
        seconds += in_frame / rate
    return seconds or len(data) / _GUESSED_BYTES_PER_SECOND
