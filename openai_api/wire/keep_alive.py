"""Comments in an event stream while there is nothing to send, so that no proxy cuts it."""

import asyncio
import logging

from openai_api.wire.sending import Send

logger = logging.getLogger(__name__)

PING = b": ping\n\n"


class KeepAlive:
    """Sends a comment after each `interval_s` without a block. One timer for a stream, no work for
    a block.
    """

    __slots__ = ("_interval_s", "_pinging", "_send", "_timer", "last", "loop")

    def __init__(self, send: Send, interval_s: float) -> None:
        self._send = send
        self._interval_s = interval_s
        self.loop = asyncio.get_running_loop()
        # When something was sent, by the loop's clock.
        self.last = self.loop.time()
        self._pinging: asyncio.Task[None] | None = None
        self._timer = self.loop.call_later(interval_s, self._look)

    def broken(self) -> None:
        self.last = self.loop.time()

    def _look(self) -> None:
        silent_s = self.loop.time() - self.last
        if silent_s < self._interval_s - 0.001:
            self._timer = self.loop.call_later(self._interval_s - silent_s, self._look)
            return
        if self._pinging is None or self._pinging.done():
            self._pinging = self.loop.create_task(self._ping())
        self.last = self.loop.time()
        self._timer = self.loop.call_later(self._interval_s, self._look)

    async def _ping(self) -> None:
        try:
            await self._send({"type": "http.response.body", "body": PING, "more_body": True})
        except (OSError, RuntimeError):
            logger.debug("a keep-alive comment found no reader")

    def end(self) -> None:
        self._timer.cancel()
        if self._pinging is not None:
            self._pinging.cancel()
