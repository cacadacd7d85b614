"""Answers that are sent while they are being made, and how they end before they are complete."""

import asyncio
from abc import ABC, abstractmethod

from openai_api.errors import ApiError, KeyStoppedError, report
from openai_api.exchange import Exchange
from openai_api.use.recording import Metered
from openai_api.wire.http_response import StreamedResponse


class LiveAnswer(ABC):
    """One answer while it is sent. Set `response` before its blocks are sent.

    Its generator of blocks settles the ticket on every way out: with `is_left` or `key_stopped`
    when the task is cancelled or the generator is closed, with `failed` when anything else fails.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.response: StreamedResponse | None = None
        self._exchange = exchange

    @abstractmethod
    def used_so_far(self) -> Metered:
        """What has to be paid if the answer ends here."""

    def used_when_left(self) -> Metered:
        """The same when nobody waits for it any more, while upstream may still be busy with it."""
        return self.used_so_far()

    @abstractmethod
    def failure(self, error: ApiError) -> bytes:
        """The last bytes of an answer that failed; raises BrokenOff where its format has none."""

    def is_left(self, gone: asyncio.CancelledError | GeneratorExit) -> bool:
        """Whether nobody reads any more, which is recorded then, and `gone` is to be raised. By
        whoever caught it: raised here it would refer to a frame that refers to it, and all that the
        answer holds would stay until the garbage collector runs."""
        stopped_for_key = (
            isinstance(gone, asyncio.CancelledError)
            and self.response is not None
            and self.response.forgive_cancel()
        )
        if not stopped_for_key:
            self._exchange.abandoned()
        return not stopped_for_key

    async def key_stopped(self) -> bytes:
        """The last bytes when the key is no longer in force."""
        stopped = KeyStoppedError("The API key is no longer in force.")
        return await self._ended(stopped, self.used_when_left())

    async def failed(self, error: Exception) -> bytes:
        """The last bytes after a failure, which is logged and recorded."""
        return await self._ended(error, self.used_so_far())

    async def _ended(self, error: Exception, used: Metered) -> bytes:
        report(error, request_id=self._exchange.request.request_id)
        return self.failure(await self._exchange.failed(error, used, status=200))
