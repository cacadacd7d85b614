"""Runs scripts in Redis, and knows whether Redis can be reached.

While it is unreachable no request waits for it: one request every TRY_AGAIN_S tries, for the others
`run` returns None immediately.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from keys.limits.counting_scripts import COUNTED, GIVE_BACK, HEARTBEAT, RELEASE, TAKE
from keys.limits.redis_failure import why
from keys.limits.redis_scripts import ScriptLine

logger = logging.getLogger(__name__)

# Redis answers within a millisecond. A request that waits for this long counts without it.
TIMEOUT_S: Final = 1.0
TRY_AGAIN_S: Final = 2.0

SCRIPTS: Final = (TAKE, COUNTED, GIVE_BACK, RELEASE, HEARTBEAT)


class RedisLink:
    """For one event loop. `on_connect` is called after the first answer on each new connection:
    the server may have restarted empty."""

    def __init__(
        self,
        url: str,
        *,
        scripts: Sequence[str] = SCRIPTS,
        clock: Callable[[], float],
        on_connect: Callable[[], None],
    ) -> None:
        self._url = url
        self._scripts = scripts
        self._clock = clock
        self._on_connect = on_connect
        self._line: ScriptLine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connects_seen = 0
        # When it last found that it is connected anew: another server may be there since.
        self.reconnected_at = -math.inf
        self._unreachable_since: float | None = None
        self._why = ""
        self._try_at = 0.0

    def health(self) -> str:
        """What is wrong, in a few words; empty when all is well."""
        if self._unreachable_since is None:
            return ""
        outage_s = self._clock() - self._unreachable_since
        return f"Redis {self._why}, {outage_s:.0f} s so far; each worker counts limits by itself"

    async def close(self) -> None:
        if self._line is not None:
            await self._line.close()

    async def run(
        self, script: str, names: list[str], arguments: list[str | int]
    ) -> list[bytes] | None:
        """The words of the script's answer; None while Redis is unreachable."""
        answer = self.send(script, names, arguments)
        if answer is None:
            return None
        try:
            found = await answer
        except Exception as error:
            self._note_unreachable(error)
            return None
        was_away = self._note_reachable()
        if self._line is not None and self._line.connects != self._connects_seen:
            if self._connects_seen or was_away:
                self.reconnected_at = self._clock()
            self._connects_seen = self._line.connects
            self._on_connect()
        return [] if found is None else found.split()

    def send(
        self, script: str, names: list[str], arguments: list[str | int]
    ) -> "asyncio.Future[Any] | None":
        loop = asyncio.get_running_loop()
        if self._line is None or self._loop is not loop:
            self._loop, self._connects_seen = loop, 0
            self._line = ScriptLine(self._url, self._scripts, timeout_s=TIMEOUT_S)
        if self._unreachable_since is not None:
            now = self._clock()
            if now < self._try_at:
                return None
            # This request tries; concurrent ones do not wait for the outcome.
            self._try_at = now + TRY_AGAIN_S
        return self._line.run(script, names, arguments)

    def _note_unreachable(self, error: Exception) -> None:
        now = self._clock()
        self._try_at = now + TRY_AGAIN_S
        self._why = why(error)
        if self._unreachable_since is None:
            self._unreachable_since = now
            logger.error(
                "Redis %s: until it is back each worker counts limits by itself.", self._why
            )

    def _note_reachable(self) -> bool:
        """Whether it was unreachable."""
        if self._unreachable_since is None:
            return False
        outage_s = self._clock() - self._unreachable_since
        self._unreachable_since = None
        logger.warning("Redis answers again after %.1f s; limits are shared again.", outage_s)
        return True
