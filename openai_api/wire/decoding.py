"""Compressed request bodies (`Content-Encoding`), decoded within the bound for bodies.

Comes in: a body as it was sent, and the header. Goes out: the body that was meant. Raises
WrongMediaType for a coding that is not known here, BodyTooLarge as soon as more comes out than is
taken, BadRequest for bytes that are not what the header says.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from openai_api.errors import BadRequest, BodyTooLarge, WrongMediaType
from workers_ai.http.codings import ACCEPT_ENCODING, Decoder, DecodingFailed, is_known

# Of codings on top of each other; nobody means more than one.
MOST_CODINGS: Final = 2
# A body comes out in pieces of 16 KiB and more, but for the ends of its members, of which gzip and
# zstd may have several: a body of many tiny ones is there to keep somebody busy.
LEAST_MEAN_PIECE_BYTES: Final = 4096
PIECES_FREE: Final = 4096
# Decoded in one turn of the event loop, of at most 64 KiB each.
PIECES_A_TURN: Final = 16


def codings(header: bytes) -> list[str]:
    """The codings in the order in which they were applied; empty for a body sent as it is."""
    named = [name.strip().lower() for name in header.decode("latin-1").split(",")]
    applied = [name for name in named if name not in ("", "identity")]
    if len(applied) > MOST_CODINGS or not all(map(is_known, applied)):
        raise WrongMediaType(
            f"Request bodies with 'Content-Encoding: {', '.join(applied)[:60]}' are not taken: "
            f"use one of {ACCEPT_ENCODING.decode()}, or send the body as it is.",
            headers={"Accept-Encoding": ACCEPT_ENCODING.decode()},
        )
    return applied


async def decoded(body: bytes, applied: Sequence[str], limit_bytes: int) -> bytes:
    """The body without its codings. Other requests have their turn meanwhile."""
    for coding in reversed(applied):
        try:
            body = await _decoded(body, coding, limit_bytes)
        except DecodingFailed as error:
            raise BadRequest(
                f"The request body cannot be decoded: {error}.", code="invalid_encoding"
            ) from None
    return body


async def _decoded(body: bytes, coding: str, limit_bytes: int) -> bytes:
    decoder = Decoder(coding)
    decoder.feed(body)
    pieces: list[bytes] = []
    size = 0
    most_pieces = PIECES_FREE + limit_bytes // LEAST_MEAN_PIECE_BYTES
    while piece := decoder.piece():
        size += len(piece)
        if size > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        pieces.append(piece)
        if len(pieces) > most_pieces:
            raise DecodingFailed(f"the {coding} consists of too many tiny members")
        if not len(pieces) % PIECES_A_TURN:
            await asyncio.sleep(0)
    decoder.close()
    return b"".join(pieces)
