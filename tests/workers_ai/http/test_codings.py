"""Content codings: whole and in any pieces, as they flow, broken, and made to fill the memory."""

import gzip
import os
import random
import time
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
from backports import zstd

from workers_ai.http.codings import (
    ACCEPT_ENCODING,
    MOST_BARREN_BYTES,
    PIECE_BYTES,
    Decoder,
    DecodingFailed,
    is_known,
)

Compress = Callable[[bytes], bytes]


def bare_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-zlib.MAX_WBITS)


def quick_brotli(data: bytes) -> bytes:
    return bytes(brotli.compress(data, quality=3))


CODINGS: list[tuple[str, Compress]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", bare_deflate),
    ("br", quick_brotli),
    ("zstd", zstd.compress),
]
each_coding = pytest.mark.parametrize(
    "coding, compress", CODINGS, ids=[f"{name}-{make.__name__}" for name, make in CODINGS]
)
RANDOM = random.Random(7)
TEXTS = [b"", b"a", b'{"answer": 1}' * 100, RANDOM.randbytes(200_000), b"\0" * 300_000]


def pieces(decoder: Decoder, data: bytes, step: int) -> Iterator[bytes]:
    for start in range(0, len(data), step):
        decoder.feed(data[start : start + step])
        while piece := decoder.piece():
            yield piece
    decoder.close()


def decoded(coding: str, data: bytes, step: int = 1 << 20) -> bytes:
    return b"".join(pieces(Decoder(coding), data, step))


@each_coding
@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
def test_what_was_compressed_comes_back(coding: str, compress: Compress, step: int) -> None:
    for text in TEXTS:
        if step >= 1000 or len(text) < 10_000:
            assert decoded(coding, compress(text), step) == text


def test_what_is_told_is_what_is_known() -> None:
    assert all(is_known(name) for name in ACCEPT_ENCODING.decode().split(", "))
    assert {name for name, _ in CODINGS} - {"x-gzip"} == set(ACCEPT_ENCODING.decode().split(", "))


def flowing(coding: str, events: list[bytes]) -> Iterator[bytes]:
    """The events as a server compresses a stream: flushed after each."""
    if coding == "gzip":
        deflater = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
        yield from (deflater.compress(one) + deflater.flush(zlib.Z_SYNC_FLUSH) for one in events)
    elif coding == "deflate":
        deflater = zlib.compressobj()
        yield from (deflater.compress(one) + deflater.flush(zlib.Z_SYNC_FLUSH) for one in events)
    elif coding == "br":
        packer = brotli.Compressor()
        yield from (packer.process(one) + packer.flush() for one in events)
    else:
        frames = zstd.ZstdCompressor()
        yield from (frames.compress(one, mode=frames.FLUSH_BLOCK) for one in events)


@pytest.mark.parametrize("coding", ACCEPT_ENCODING.decode().split(", "))
def test_a_stream_flows_event_by_event(coding: str) -> None:
    events = [b"data: %d\n\n" % number * (number % 5 + 1) for number in range(50)]
    decoder = Decoder(coding)
    for event, compressed in zip(events, flowing(coding, events), strict=True):
        decoder.feed(compressed)
        assert decoder.piece() == event
        assert decoder.piece() == b""


@each_coding
def test_an_end_in_the_middle_is_told(coding: str, compress: Compress) -> None:
    whole = compress(TEXTS[3])
    for kept in (1, 2, 5, len(whole) // 2, len(whole) - 1):
        with pytest.raises(DecodingFailed, match="breaks off"):
            decoded(coding, whole[:kept])


@each_coding
def test_what_is_not_of_this_coding_is_told(coding: str, compress: Compress) -> None:
    with pytest.raises(DecodingFailed, match=coding):
        decoded(coding, b'{"plain": "json"}' * 10)
    if compress in (gzip.compress, zlib.compress):  # the others have no checksum
        broken = bytearray(compress(TEXTS[2]))
        broken[len(broken) // 2] ^= 0xFF
        with pytest.raises(DecodingFailed, match=coding):
            decoded(coding, bytes(broken))


@pytest.mark.parametrize("step", [1, 3, 1 << 20])
def test_several_members_are_one_body(step: int) -> None:
    members = [gzip.compress(b"a" * 100_000), gzip.compress(b""), gzip.compress(b"b")]
    assert decoded("gzip", b"".join(members), step) == b"a" * 100_000 + b"b"
    frames = [zstd.compress(b"a" * 100_000), zstd.compress(b""), zstd.compress(b"b")]
    assert decoded("zstd", b"".join(frames), step) == b"a" * 100_000 + b"b"


@pytest.mark.parametrize("step", [1, 1 << 20])
@pytest.mark.parametrize("padding", [b"\0" * 100, b"\r\n", b"\x1f", b"\x1f\x8c" + b"x" * 50])
def test_padding_behind_the_end_is_left_out(step: int, padding: bytes) -> None:
    assert decoded("gzip", gzip.compress(b"all") + padding, step) == b"all"
    assert decoded("deflate", zlib.compress(b"all") + padding, step) == b"all"


@each_coding
def test_a_bomb_is_decoded_only_as_far_as_it_is_asked_for(coding: str, compress: Compress) -> None:
    decoder = Decoder(coding)
    decoder.feed(compress(b"\0" * 20_000_000))
    began = time.process_time()
    for _ in range(10):
        # brotli's buffer grows by half again before it looks at the limit.
        assert 0 < len(decoder.piece()) <= PIECE_BYTES * 2
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "coding, nothing",
    [
        ("gzip", gzip.compress(b"", mtime=0)),
        ("zstd", zstd.compress(b"")),
        ("zstd", b"\x50\x2a\x4d\x18\x10\0\0\0" + b"x" * 16),  # a skippable frame
        ("deflate", b"\0\0\0\xff\xff"),  # an empty stored block
    ],
)
def test_input_without_an_end_and_without_output_is_refused(coding: str, nothing: bytes) -> None:
    with pytest.raises(DecodingFailed, match="hold nothing"):
        decoded(coding, nothing * (2 * MOST_BARREN_BYTES // len(nothing)), step=4096)


@each_coding
def test_the_time_grows_no_faster_than_the_input(coding: str, compress: Compress) -> None:
    def seconds(size: int) -> float:
        data = compress(os.urandom(size))
        began = time.process_time()
        decoded(coding, data, step=50)
        return time.process_time() - began

    seconds(10_000)
    assert seconds(400_000) < 12 * seconds(100_000) + 0.05
