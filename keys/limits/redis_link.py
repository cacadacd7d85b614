"""The way to Redis, and what is known of whether it is there.

While it is away nobody waits for it: one request in TRY_AGAIN_S tries, the others are told at once
that there is no answer.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from redis.exceptions import RedisError

from keys.limits.counting_scripts import HEARTBEAT, RELEASE, RESERVE, TAKE
from keys.limits.redis_scripts import ScriptLine

logger = logging.getLogger(__name__)

# Redis answers within a millisecond or it is not there: no request waits for longer than this.
TIMEOUT_S: Final = 1.0
TRY_AGAIN_S: Final = 2.0

SCRIPTS: Final = (TAKE, RESERVE, RELEASE, HEARTBEAT)


class RedisLink:
    """Use it from one event loop. `on_connect` is called after the first answer of each new
    connection: the server may have forgotten everything."""

    def __init__(
        self, url: str, *, clock: Callable[[], float], on_connect: Callable[[], None]
    ) -> None:
        self._url = url
        self._clock = clock
        self._on_connect = on_connect
        self._line: ScriptLine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connects_seen = 0
        self._away_since: float | None = None
        self._try_at = 0.0

    def health(self) -> str:
        """What is wrong, in a few words; empty when all is well."""
        if self._away_since is None:
            return ""
        away_s = self._clock() - self._away_since
        return f"Redis does not answer since {away_s:.0f} s; each worker counts limits by itself"

    async def close(self) -> None:
        if self._line is not None:
            await self._line.close()

    async def run(
        self, script: str, names: list[str], arguments: list[str | int]
    ) -> list[bytes] | None:
        """The words of the script's answer; None while Redis is away."""
        answer = self.send(script, names, arguments)
        if answer is None:
            return None
        try:
            found = await answer
        except (RedisError, OSError, TimeoutError) as error:
            self._note_away(error)
            return None
        self._note_back()
        if self._line is not None and self._line.connects != self._connects_seen:
            self._connects_seen = self._line.connects
            self._on_connect()
        return [] if found is None else found.split()

    def send(
        self, script: str, names: list[str], arguments: list[str | int]
    ) -> "asyncio.Future[Any] | None":
        loop = asyncio.get_running_loop()
        if self._line is None or self._loop is not loop:
            self._loop, self._connects_seen = loop, 0
            self._line = ScriptLine(self._url, SCRIPTS, timeout_s=TIMEOUT_S)
        if self._away_since is not None:
            now = self._clock()
            if now < self._try_at:
                return None
            # This request tries; those beside it do not wait for the outcome.
            self._try_at = now + TRY_AGAIN_S
        return self._line.run(script, names, arguments)

    def _note_away(self, error: Exception) -> None:
        now = self._clock()
        self._try_at = now + TRY_AGAIN_S
        if self._away_since is None:
            self._away_since = now
            # Its type alone: the text may hold the URL, and that a password.
            logger.error(
                "Redis does not answer (%s): until it is back each worker counts limits by itself.",
                type(error).__name__,
            )

    def _note_back(self) -> None:
        if self._away_since is not None:
            away_s = self._clock() - self._away_since
            self._away_since = None
            logger.warning("Redis answers again after %.1f s; limits are shared again.", away_s)
