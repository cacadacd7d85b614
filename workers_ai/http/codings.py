"""Content codings (RFC 9110 section 8.4): compressed bytes in, plain bytes out, a piece at a time.

A few bytes can stand for gigabytes, so nothing is decoded beyond the piece that is asked for: who
reads decides how much is too much. What is complete in the input comes out at once, so that a
compressed stream of events flows event by event. Pure.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import brotli
from backports import zstd

# Of what is decoded at a time, and of what is looked at for it: none of the libraries copies more
# than a slice when it is left with input that it cannot use yet.
PIECE_BYTES: Final = 64 * 1024
SLICE_BYTES: Final = 16 * 1024
# Input that may bring nothing: headers, padding, empty members. Beyond it, it is only there to keep
# somebody busy.
MOST_BARREN_BYTES: Final = 64 * 1024
# RFC 9659: what a decoder of this coding must be able to keep of what came before.
_ZSTD_WINDOW_LOG: Final = 23


class DecodingFailed(Exception):
    """The bytes are not what their coding says; the text names it and what is wrong."""


class _Codec(Protocol):
    """One compressed member: a gzip member, a zstd frame, or all there is."""

    @property
    def hungry(self) -> bool:
        """Whether it takes more input; otherwise it has more to give."""

    @property
    def ended(self) -> bool: ...

    @property
    def unused(self) -> int:
        """Bytes of the last input that follow the end."""

    def decode(self, data: bytes) -> bytes: ...


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._inflater = zlib.decompressobj(wbits)
        self._left = b""
        self.hungry = True

    @property
    def ended(self) -> bool:
        return self._inflater.eof

    @property
    def unused(self) -> int:
        return len(self._inflater.unused_data)

    def decode(self, data: bytes) -> bytes:
        plain = self._inflater.decompress(self._left or data, PIECE_BYTES)
        self._left = self._inflater.unconsumed_tail
        # A full piece may have left some in its window, with no input to show for it.
        self.hungry = not self._left and len(plain) < PIECE_BYTES
        return plain


class _Gzip(_Zlib):
    def __init__(self) -> None:
        super().__init__(16 + zlib.MAX_WBITS)


class _Deflate:
    """zlib's form by the book; bare deflate as well, which some servers send under this name."""

    def __init__(self) -> None:
        self._first = b""
        self._codec: _Zlib | None = None

    @property
    def hungry(self) -> bool:
        return self._codec is None or self._codec.hungry

    @property
    def ended(self) -> bool:
        return self._codec is not None and self._codec.ended

    @property
    def unused(self) -> int:
        return 0 if self._codec is None else self._codec.unused

    def decode(self, data: bytes) -> bytes:
        if self._codec is None:
            self._first += data
            if len(self._first) < 2:
                return b""
            data, self._first = self._first, b""
            # RFC 1950: the method is 8, and both bytes together are a multiple of 31.
            has_header = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
            self._codec = _Zlib(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        return self._codec.decode(data)


class _Brotli:
    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()
        self.hungry = True
        self.unused = 0

    @property
    def ended(self) -> bool:
        return bool(self._decompressor.is_finished())

    def decode(self, data: bytes) -> bytes:
        plain: bytes = self._decompressor.process(data, output_buffer_limit=PIECE_BYTES)
        self.hungry = not plain and self._decompressor.can_accept_more_data()
        return plain


class _Zstd:
    def __init__(self) -> None:
        parameter = zstd.DecompressionParameter.window_log_max
        self._decompressor = zstd.ZstdDecompressor(options={parameter: _ZSTD_WINDOW_LOG})

    @property
    def hungry(self) -> bool:
        return self._decompressor.needs_input

    @property
    def ended(self) -> bool:
        return self._decompressor.eof

    @property
    def unused(self) -> int:
        return len(self._decompressor.unused_data)

    def decode(self, data: bytes) -> bytes:
        return self._decompressor.decompress(data, PIECE_BYTES)


_CODECS: Mapping[str, Callable[[], _Codec]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
ACCEPT_ENCODING: Final = b"gzip, deflate, br, zstd"
# How another member begins behind the end of one. What begins otherwise is padding, as is all that
# follows in a coding without members.
_NEXT_MEMBER: Mapping[str, bytes] = {"gzip": b"\x1f\x8b", "x-gzip": b"\x1f\x8b", "zstd": b""}


def is_known(coding: str) -> bool:
    return coding in _CODECS


class Decoder:
    """Decodes one body. `feed` what came, then take a `piece` after the other until there is none;
    `close` at the end.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._codec = _CODECS[coding]()
        self._input = b""
        self._at = 0
        # Bytes since there was a piece; whether a member is under way; whether the rest is padding.
        self._barren = 0
        self._within = False
        self._has_ended = False
        self._is_padding = False

    def feed(self, data: bytes) -> None:
        """More input; what was fed before and is not used yet comes first."""
        self._input = self._input[self._at :] + data if self._at < len(self._input) else data
        self._at = 0

    def piece(self) -> bytes:
        """The next plain bytes, about PIECE_BYTES at most; empty when that takes more input. Raises
        DecodingFailed.
        """
        while not self._has_ended or self._next_member():
            data = b""
            if self._codec.hungry:
                data = self._input[self._at : self._at + SLICE_BYTES]
                if not data:
                    break
            plain = self._decoded(data)
            if plain:
                return plain
        return b""

    def close(self) -> None:
        """The input has ended; raises DecodingFailed when that is in the middle."""
        if self._within:
            raise DecodingFailed(f"the {self._coding} breaks off")

    def _decoded(self, data: bytes) -> bytes:
        try:
            plain = self._codec.decode(data)
        except (zlib.error, brotli.error, zstd.ZstdError) as error:
            raise DecodingFailed(f"this is no {self._coding}: {error}") from None
        self._has_ended = self._codec.ended
        self._within = not self._has_ended
        used = len(data) - (self._codec.unused if self._has_ended else 0)
        self._at += used
        self._barren = 0 if plain else self._barren + used
        if self._barren > MOST_BARREN_BYTES:
            raise DecodingFailed(f"{self._barren} bytes of {self._coding} hold nothing")
        return plain

    def _next_member(self) -> bool:
        """Goes on to what follows the end of a member, when it is another one."""
        begins = _NEXT_MEMBER.get(self._coding)
        follows = self._input[self._at : self._at + max(1, len(begins or b""))]
        if begins is None or self._is_padding or not follows:
            return False
        if not follows.startswith(begins):
            self._is_padding = not begins.startswith(follows)
            return False
        self._codec = _CODECS[self._coding]()
        self._has_ended = False
        return True
