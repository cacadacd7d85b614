"""The addresses of one host, which stay in use while its name cannot be looked up."""

import asyncio
import logging
import math
import socket
from collections.abc import Sequence
from typing import Final

from aiohappyeyeballs import AddrInfoType

from workers_ai.http.resolver import Resolver

logger = logging.getLogger(__name__)

KEPT_S: Final = 10.0
# How long a connection waits for a new look-up while there are addresses that were good.
PATIENCE_S: Final = 0.5


class HostAddresses:
    """Looks up again after KEPT_S, or when a connection failed. Belongs to one event loop."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        # One at a time, of a thread of its own: what others look up is not in its way.
        self._resolver = Resolver(threads=1)
        self._asking: asyncio.Task[None] | None = None
        self._is_failing = False
        self._known: Sequence[AddrInfoType] = _of_a_number(host, port)
        self._fresh_until = math.inf if self._known else 0.0

    async def get(self) -> Sequence[AddrInfoType]:
        """At least one. Raises OSError while none was ever found; put a time limit around it."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._fresh_until:
            return self._known
        if self._asking is None:
            self._asking = loop.create_task(self._ask())
            # Should all who asked have gone meanwhile.
            self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        if not self._known:
            await asyncio.shield(self._asking)
        else:
            await asyncio.wait({self._asking}, timeout=PATIENCE_S)
            if self._asking is not None:  # it goes on, and who comes next does not wait for it
                self._fresh_until = loop.time() + KEPT_S
        return self._known

    def doubt(self) -> None:
        """No connection came of them: the next one asks anew."""
        if self._fresh_until != math.inf:
            self._fresh_until = 0.0

    def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        try:
            self._known = await self._resolver.addresses(self._host, self._port)
            self._is_failing = False
        except OSError as error:
            if not self._known:
                raise
            if not self._is_failing:
                self._is_failing = True
                logger.warning(
                    "%s cannot be looked up (%s): its last addresses stay in use", self._host, error
                )
        finally:
            self._asking = None
        self._fresh_until = asyncio.get_running_loop().time() + KEPT_S


def _of_a_number(host: str, port: int) -> Sequence[AddrInfoType]:
    """The address itself when the host is one; no look-up is needed then."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return ()
