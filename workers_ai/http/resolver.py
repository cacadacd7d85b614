"""Looks up the addresses of host names on threads of its own.

`loop.getaddrinfo` uses a small pool of threads that everything in the process shares, and a look-up
that is given up goes on there: some names whose servers are silent, and nobody's name is found any
more. Here each look-up has its own short-lived thread, of which there is a limited number, shared
fairly between callers. Whoever looks up names that strangers choose uses a resolver of their own.
"""

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

from aiohappyeyeballs import AddrInfoType

from workers_ai.http.fair_semaphore import FairSemaphore


class Resolver:
    """At most `threads` look-ups at a time, of one caller about half of them. Belongs to one loop.

    A thread ends when the system's resolver does, which gives a silent server up after some
    seconds (`man resolv.conf`); it keeps no process from ending.
    """

    def __init__(self, *, threads: int) -> None:
        self._slots = FairSemaphore(threads)

    async def addresses(self, host: str, port: int, *, caller: str = "") -> Sequence[AddrInfoType]:
        """What `socket.getaddrinfo` finds for TCP, at least one; raises socket.gaierror, or OSError
        when there can be no thread. Put a time limit around it: it waits for a thread, too.
        """
        await self._slots.acquire(caller)
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Sequence[AddrInfoType]] = loop.create_future()

        def done(result: "Sequence[AddrInfoType] | Exception") -> None:
            self._slots.release(caller)
            if found.done():  # nobody waits for it any more
                return
            if isinstance(result, Exception):
                found.set_exception(result)
            else:
                found.set_result(result)

        def look_up() -> None:
            result = _found(host, port)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done, result)

        try:
            threading.Thread(target=look_up, name="look-up", daemon=True).start()
        except RuntimeError as error:
            self._slots.release(caller)
            raise OSError(f"no thread to look up {host}: {error}") from None
        return await found


def _found(host: str, port: int) -> "Sequence[AddrInfoType] | Exception":
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label that is too long, or is no label
        return socket.gaierror(socket.EAI_NONAME, "not a name that can be looked up")
    except OSError as error:
        return error
