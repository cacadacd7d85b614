"""Answers of HTTP servers, made up with a seed: sound ones, odd ones, hostile and damaged ones."""

import gzip
import random
import zlib
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import brotli
from backports import zstd

from tests.workers_ai.raw_server import chunked

BODIES = (
    b"",
    b"x",
    b'{"result": {"response": "hi"}, "success": true}',
    b"data: {}\n\ndata: [DONE]\n\n",
    '{"text": "żółw 🐢"}'.encode(),
    bytes(range(256)) * 40,
    b"\0" * 70_000,
)
# What is sound, and what is odd or worse.
STATUSES = (
    (
        "200 OK",
        "200 OK",
        "200 OK",
        "201 Created",
        "204 No Content",
        "304 Not Modified",
        "503",
        "400 Bad Request",
        "404 Not Found",
        "429 Too Many",
        "500 Oops",
        "200 ",
        "200 réason",
    ),
    (
        "999 Far",
        "101 Switching Protocols",
        "099 Low",
        "000 None",
        "20 Short",
        "2000 Long",
        "2x0 Odd",
        "",
    ),
)
VERSIONS = (
    ("HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"),
    ("HTTP/2.0", "http/1.1", "HTTP/1.2", "HTTP/11", "ICY"),
)
HEADERS = (
    (
        "content-type: application/json",
        "Content-Type:text/event-stream",
        "x-empty:",
        "X-Plain:  padded \t",
        "x-repeated: one",
        "X-Repeated: two",
        "x-latin: éÿ",
        "set-cookie: a=b; path=/",
        "retry-after: 3",
        "Connection: close",
        "x-tab: a\tb",
        "Connection: keep-alive, Upgrade",
        "Upgrade: h2c",
        "x-long: " + "l" * 9000,
    ),
    (
        "x-folded: a\r\n b",
        "x-control: a\x01b",
        "x-nul: a\x00b",
        "no colon",
        "x space: a",
        "x-before : a",
        ": no name",
        "x-return: a\rb",
        "é: name",
    ),
)
FRAMINGS = (
    (
        "length",
        "length",
        "chunked",
        "chunked",
        "chunked",
        "none",
        "CHUNKED",
        "both",
        "short length",
    ),
    (
        "long length",
        "same length twice",
        "other length twice",
        "length list",
        "negative",
        "hexadecimal",
        "plus",
        "words",
        "huge",
        "gzip, chunked",
        "identity",
        "chunked twice",
        "xchunked",
        "no chunks",
    ),
)
CODINGS = (
    (
        "",
        "",
        "",
        "gzip",
        "deflate",
        "bare deflate",
        "br",
        "zstd",
        "gzip, br",
        "identity",
        "GZIP",
        "padded gzip",
    ),
    ("x-gzip", "unknown", "plain as gzip", "cut gzip", "damaged x-gzip", "two members"),
)


@dataclass(frozen=True)
class MadeUp:
    """What a server sends until it closes, in the pieces in which it is read."""

    pieces: tuple[bytes, ...]

    @property
    def raw(self) -> bytes:
        return b"".join(self.pieces)


def made_up(chance: random.Random) -> MadeUp:
    """Half of them sound in every way, and each of the others odd in one or two."""
    raw = b"".join(_informational(chance) for _ in range(chance.choice((0, 0, 0, 0, 1, 2))))
    raw += chance.choice((b"\r\n", b"\n\r\n")) if chance.random() < 0.01 else b""
    raw += _answer(chance)
    if chance.random() < 0.25:
        raw = _damaged(chance, raw)
    return MadeUp(_pieces(chance, raw))


def _one(chance: random.Random, sound: tuple[str, ...], odd: tuple[str, ...]) -> str:
    return chance.choice(odd if chance.random() < 0.06 else sound)


def _informational(chance: random.Random) -> bytes:
    status = chance.choice(("100 Continue", "103 Early Hints", "102 Processing", "199 Odd"))
    header = chance.choice(("", "link: </a>\r\n", "content-length: 0\r\n"))
    return f"HTTP/1.1 {status}\r\n{header}\r\n".encode()


def _answer(chance: random.Random) -> bytes:
    body = chance.choice(BODIES)
    coding, encoded = _encoded(chance, body)
    lines = [f"{_one(chance, *VERSIONS)} {_one(chance, *STATUSES)}"]
    lines += chance.sample(HEADERS[0], chance.choice((0, 1, 1, 2, 3, 6)))
    if chance.random() < 0.06:
        lines.append(chance.choice(HEADERS[1]))
    if chance.random() < 0.01:
        lines += [f"x-{number}: many" for number in range(chance.choice((200, 300)))]
    if chance.random() < 0.02:
        lines.append("x-endless: " + "e" * 120_000)
    if coding:
        lines.append(f"Content-Encoding: {coding}")
    framing, content = _framed(chance, encoded)
    lines += framing
    lines[1:] = chance.sample(lines[1:], len(lines) - 1)
    end = chance.choice(("\r\n",) * 12 + ("\n",))
    return end.join([*lines, "", ""]).encode("latin-1") + content


def _encoded(chance: random.Random, body: bytes) -> tuple[str, bytes]:
    coding = _one(chance, *CODINGS)
    if coding == "cut gzip":
        packed = gzip.compress(body, mtime=0)
        return "gzip", packed[: chance.randrange(len(packed))]
    return _encodings(body)[coding]


@cache
def _encodings(body: bytes) -> dict[str, tuple[str, bytes]]:
    packed = gzip.compress(body, mtime=0)
    return {
        "": ("", body),
        "gzip": ("gzip", packed),
        "GZIP": ("GZIP", packed),
        "x-gzip": ("x-gzip", packed),
        "deflate": ("deflate", zlib.compress(body)),
        "bare deflate": ("deflate", zlib.compress(body, wbits=-15)),
        "br": ("br", brotli.compress(body, quality=1)),
        "zstd": ("zstd", zstd.compress(body)),
        "gzip, br": ("gzip, br", brotli.compress(packed, quality=1)),
        "identity": ("identity", body),
        "unknown": ("compress", body),
        "plain as gzip": ("gzip", body),
        "two members": ("gzip", packed + gzip.compress(b"more", mtime=0)),
        "damaged x-gzip": ("x-gzip", packed[:-8] + b"checksum"),
        "padded gzip": ("gzip", packed + b"\0" * 20),
    }


def _framed(chance: random.Random, content: bytes) -> tuple[list[str], bytes]:
    framing = _one(chance, *FRAMINGS)
    size = len(content)
    length = f"Content-Length: {size}"
    if framing in ("chunked", "CHUNKED", "gzip, chunked", "identity", "xchunked"):
        return [f"Transfer-Encoding: {framing}"], _chunks(chance, content)
    by_name: dict[str, tuple[list[str], bytes]] = {
        "length": ([length], content),
        "none": ([], content),
        "both": ([length, "Transfer-Encoding: chunked"], _chunks(chance, content)),
        "short length": ([f"Content-Length: {size // 2}"], content),
        "long length": ([f"Content-Length: {size + 5}"], content),
        "same length twice": ([length, length], content),
        "other length twice": ([length, f"Content-Length: {size + 1}"], content),
        "length list": ([f"{length}, {size}"], content),
        "negative": (["Content-Length: -1"], content),
        "hexadecimal": ([f"Content-Length: {size:#x}"], content),
        "plus": ([f"Content-Length: +{size}"], content),
        "words": (["Content-Length: some"], content),
        "huge": (["Content-Length: 99999999999999999999999"], content),
        "chunked twice": (["Transfer-Encoding: chunked"] * 2, _chunks(chance, content)),
        "no chunks": (["Transfer-Encoding: chunked"], content),
    }
    return by_name[framing]


def _chunks(chance: random.Random, content: bytes) -> bytes:
    parts = []
    while content:
        size = chance.choice((1, 7, 100, 5000, 100_000))
        part, content = content[:size], content[size:]
        parts.append(_chunk(chance, part))
        if len(parts) > 40:
            parts.append(chunked(content))
            break
    if chance.random() < 0.85:
        return b"".join(parts) + b"0\r\n\r\n"
    last = chance.choice(
        (
            b"0\r\nx-trailer: t\r\n\r\n",
            b"000\r\n\r\n",
            b"0;last\r\n\r\n",
            b"0\r\n",
            b"",
            b"0\n\n",
            b"0\r\nbad trailer\r\n\r\n",
            b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            b"0\r\n\r\nexcess",
        )
    )
    return b"".join(parts) + last


def _chunk(chance: random.Random, part: bytes) -> bytes:
    if chance.random() < 0.97:
        return chunked(part)
    size = len(part)
    return chance.choice(
        (
            b"%X\r\n%s\r\n" % (size, part),
            b"00%x\r\n%s\r\n" % (size, part),
            b"%x;name=value\r\n%s\r\n" % (size, part),
            b'%x ; name="a b"\r\n%s\r\n' % (size, part),
            b"%x  \r\n%s\r\n" % (size, part),
            b" %x\r\n%s\r\n" % (size, part),
            b"%x\n%s\r\n" % (size, part),
            b"%x\r\n%s\n" % (size, part),
            b"%x\r\n%s" % (size, part),
            b"%x\r\n%s\r\n" % (size + 1, part),
            b"0x%x\r\n%s\r\n" % (size, part),
            b"-%x\r\n%s\r\n" % (size, part),
            b"ffffffffffffffffff\r\n%s\r\n" % part,
            b"\r\n%s\r\n" % part,
        )
    )


def _damaged(chance: random.Random, raw: bytes) -> bytes:
    # Mostly in the head and the first chunk, where damage means something.
    place = chance.randrange(min(len(raw), chance.choice((50, 200, 10**9))) or 1)
    how = chance.choice(("flip", "drop", "insert", "cut", "cut", "repeat"))
    if how == "flip":
        byte = chance.choice((chance.randrange(256), *b"\r\n\0 :;,"))
        return raw[:place] + bytes([byte]) + raw[place + 1 :]
    if how == "drop":
        return raw[:place] + raw[place + 1 :]
    if how == "insert":
        return raw[:place] + bytes([chance.choice(b"\r\n\0 :a0")]) + raw[place:]
    if how == "cut":
        return raw[:place]
    end = place + chance.randrange(1, 20)
    return raw[:end] + raw[place:end] + raw[end:]


def _pieces(chance: random.Random, raw: bytes) -> tuple[bytes, ...]:
    how = chance.choice(("one", "one", "some", "some", "each"))
    if how == "one" or not raw:
        return (raw,)
    if how == "each" and len(raw) < 600:
        return tuple(raw[place : place + 1] for place in range(len(raw)))
    cuts = sorted({chance.randrange(len(raw)) for _ in range(chance.randrange(1, 8))})
    places = [0, *cuts, len(raw)]
    pieces = (raw[start:stop] for start, stop in pairwise(places))
    return tuple(piece for piece in pieces if piece)
