"""Reads answers whole, within a size for each kind, and only a few large ones at a time.

So memory stays bounded whatever upstream sends: an answer that turns out large waits until larger
ones before it are read.
"""

import asyncio
from typing import Final

import httpx

from workers_ai.errors import StreamCut, UnusableAnswer
from workers_ai.http.decoded import AnyResponse
from workers_ai.silence import Silence

MIB: Final = 1024 * 1024
# A refusal is a sentence in JSON, or a page of a proxy in between; what follows it is let go.
MOST_REFUSAL_BYTES: Final = 256 * 1024
# 100,000 tokens with the log probabilities of a few others each; without them a megabyte.
MOST_TEXT_BYTES: Final = 32 * MIB
# A picture of 4096 by 4096 pixels as PNG in base64, ten minutes of sound as WAV, a hundred vectors.
MOST_MEDIA_BYTES: Final = 64 * MIB
# The whole catalog was 0.4 MB in November 2026.
MOST_CATALOG_BYTES: Final = 16 * MIB

# Answers beyond so many bytes that may be read at a time; the others wait, and upstream with them.
_GATES: Final = ((1 * MIB, 16), (8 * MIB, 2))


class WholeAnswers:
    """Reads the whole answers of one client."""

    def __init__(self) -> None:
        self._gates = [(above, asyncio.Semaphore(number)) for above, number in _GATES]

    async def read(self, response: AnyResponse, silence: Silence, *, most_bytes: int) -> bytes:
        """The body, decoded; of a refusal no more than its beginning. Closes the response.

        Raises UnusableAnswer when there is more than `most_bytes`, StreamCut when it breaks off or
        cannot be decoded, TimedOut.
        """
        is_refusal = response.status >= 300
        if is_refusal:
            most_bytes = MOST_REFUSAL_BYTES
        chunks: list[bytes] = []
        size = 0
        passed = 0
        try:
            while True:
                # Most answers are there as a whole by now, so that nothing has to wait.
                chunk = response.at_hand()
                if not chunk and not response.is_over:
                    chunk = await silence.wait_for(response.read())
                if not chunk:
                    break
                silence.broken()
                chunks.append(chunk)
                size += len(chunk)
                if size > most_bytes:
                    if is_refusal:
                        break
                    raise UnusableAnswer(
                        f"an answer of more than {most_bytes // MIB} MiB, the most of its kind"
                    )
                while passed < len(self._gates) and size > self._gates[passed][0]:
                    await silence.wait_for(self._gates[passed][1].acquire())
                    passed += 1
        except httpx.HTTPError as error:
            raise StreamCut(f"Workers AI's answer broke off: {error}") from None
        finally:
            response.close()
            for _, gate in self._gates[:passed]:
                gate.release()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
