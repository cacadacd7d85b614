"""An answer whose body is compressed, read as if it were not."""

from collections.abc import Awaitable, Mapping

import httpx

from workers_ai.http.codings import Decoder, DecodingFailed, is_known
from workers_ai.http.response import Response, Take

# Somebody may compress what is compressed already; nobody does so often.
MOST_CODINGS = 3


class DecodedResponse:
    """A Response with its content coding taken off; reading may raise httpx.DecodingError too."""

    __slots__ = ("_decoder", "_encoded", "_stopped", "_take", "headers", "status")

    def __init__(self, encoded: "Response | DecodedResponse", coding: str) -> None:
        self.status: int = encoded.status
        self.headers: Mapping[str, str] = encoded.headers
        self._encoded = encoded
        self._decoder = Decoder(coding)
        self._take: Take | None = None
        self._stopped = False

    @property
    def is_over(self) -> bool:
        """As Response.is_over, where that is known: the decoder may hold a rest."""
        return False

    async def read(self) -> bytes:
        """What came next, at least a byte; empty at the end."""
        while not (piece := self.at_hand()):
            data = await self._encoded.read()
            try:
                if not data:
                    self._decoder.close()
                    return b""
                self._decoder.feed(data)
            except DecodingFailed as error:
                raise httpx.DecodingError(str(error)) from None
        return piece

    def at_hand(self) -> bytes:
        """As Response.at_hand."""
        try:
            while not (piece := self._decoder.piece()) and (data := self._encoded.at_hand()):
                self._decoder.feed(data)
        except DecodingFailed as error:
            raise httpx.DecodingError(str(error)) from None
        return piece

    async def deliver(self, take: Take) -> Awaitable[None] | None:
        """As Response.deliver."""
        self._take = take
        try:
            waits_for = self._pass_on()  # what was there when `take` wanted to wait
            if waits_for is None and not self._stopped:
                waits_for = await self._encoded.deliver(self._arrived)
                if waits_for is None and not self._stopped:
                    self._decoder.close()
        except DecodingFailed as error:
            raise httpx.DecodingError(str(error)) from None
        finally:
            self._take = None
        return waits_for

    def stop(self) -> None:
        """As Response.stop."""
        self._stopped = True
        self._encoded.stop()

    def close(self) -> None:
        """As Response.close."""
        self._encoded.close()

    def _arrived(self, data: bytes) -> Awaitable[None] | None:
        self._decoder.feed(data)
        return self._pass_on()

    def _pass_on(self) -> Awaitable[None] | None:
        assert self._take is not None
        while not self._stopped and (piece := self._decoder.piece()):
            waits_for = self._take(piece)
            if waits_for is not None:
                return waits_for
        return None


AnyResponse = Response | DecodedResponse


def decoded(response: Response) -> AnyResponse:
    """The answer as it reads without its content codings; raises httpx.DecodingError for those
    that nobody was told that we take."""
    named = [name.strip().lower() for name in response.headers["content-encoding"].split(",")]
    codings = [name for name in named if name not in ("", "identity")]
    if len(codings) > MOST_CODINGS or not all(map(is_known, codings)):
        raise httpx.DecodingError(f"content-encoding {response.headers['content-encoding']!r:.60}")
    plain: AnyResponse = response
    for coding in reversed(codings):
        plain = DecodedResponse(plain, coding)
    return plain
