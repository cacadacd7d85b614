"""Formats and lengths of sound files, from their own bytes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import audio_file
from workers_ai.simulator.tasks import sound

TEXT = "one two three four five six"  # 2.4 seconds
MADE = {
    "wav": sound.wav(TEXT),
    "mp3": sound.mp3(TEXT),
    "aac": sound.aac(TEXT),
    "flac": sound.flac(TEXT, 44_100),
    "opus": sound.opus(TEXT),
}


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def movie(*, units: int, a_second: int, long: bool = False) -> bytes:
    """An MP4 whose length stands behind its media, as recorders write it."""
    if long:
        header = b"\1\0\0\0" + bytes(16) + struct.pack(">IQ", a_second, units)
    else:
        header = bytes(12) + struct.pack(">II", a_second, units)
    return (
        box(b"ftyp", b"M4A \0\0\0\0")
        + box(b"mdat", bytes(900))
        + box(b"moov", box(b"mvhd", header))
    )


def webm(duration: bytes) -> bytes:
    return b"\x1a\x45\xdf\xa3" + bytes(30) + b"\x2a\xd7\xb1\x83\x0f\x42\x40" + duration


def mp3_with_tag(frames: int) -> bytes:
    first = sound.mp3("x")[:4] + bytes(9) + b"Xing" + struct.pack(">II", 1, frames)
    return b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + first.ljust(144, b"\0") + sound.mp3("x")


@pytest.mark.parametrize("kind", MADE)
def test_a_file_tells_its_format_and_length(kind: str) -> None:
    data = MADE[kind]
    assert audio_file.format_of(data) == kind
    assert audio_file.seconds(data) == pytest.approx(2.4, abs=0.05)


@pytest.mark.parametrize("kind", MADE)
def test_both_ends_of_a_file_are_enough(kind: str) -> None:
    data = MADE[kind]
    told = audio_file.seconds(data[:400], size=len(data), tail=data[-300:])
    assert told == pytest.approx(2.4, abs=0.05)


@pytest.mark.parametrize(
    ("data", "kind", "told_s"),
    [
        (movie(units=90_000, a_second=44_100), "mp4", 2.041),
        (movie(units=5_000, a_second=1_000, long=True), "mp4", 5.0),
        (webm(b"\x44\x89\x88" + struct.pack(">d", 3500.0)), "webm", 3.5),
        (webm(b"\x44\x89\x84" + struct.pack(">f", 1500.0)), "webm", 1.5),
        (webm(b""), "webm", None),
        (mp3_with_tag(1000), "mp3", 24.0),
        (sound.wav(TEXT).replace(b"data", b"junk"), "wav", None),
        (b"#!AMR\n" + bytes(20), "amr", None),
        (b"just text", None, None),
        (b"", None, None),
    ],
    ids=[
        "mp4",
        "mp4 long",
        "webm",
        "webm float",
        "webm live",
        "tagged mp3",
        "wav",
        "amr",
        "text",
        "nothing",
    ],
)
def test_lengths_stand_in_headers(data: bytes, kind: str | None, told_s: float | None) -> None:
    assert audio_file.format_of(data) == kind
    assert audio_file.seconds(data) == (told_s and pytest.approx(told_s, abs=0.001))


def test_a_wav_that_was_written_while_it_was_made_is_measured_by_its_size() -> None:
    data = bytearray(sound.wav(TEXT))
    data[40:44] = b"\xff\xff\xff\xff"
    assert audio_file.seconds(bytes(data)) == pytest.approx(2.4)
    data[40:44] = bytes(4)
    assert audio_file.seconds(bytes(data)) == pytest.approx(2.4)


STARTS = st.sampled_from(
    [
        b"RIFF0000WAVEfmt ",
        b"fLaC",
        b"OggS",
        b"OggS" + bytes(24) + b"OpusHead",
        b"0000ftyp",
        b"\x1a\x45\xdf\xa3",
        b"ID3",
        b"\xff\xfb",
        b"\xff\xf1",
        b"\xff\xf3\x64\xc0",
    ]
)


@given(start=STARTS, rest=st.binary(max_size=120), kept=st.integers(0, 140))
def test_no_file_is_too_broken(start: bytes, rest: bytes, kept: int) -> None:
    for whole in (start + rest, *MADE.values()):
        told = audio_file.seconds(whole[:kept], size=len(whole), tail=rest)
        assert told is None or told > 0
