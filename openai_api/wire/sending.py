"""Calls ASGI's `send` from a callback, which cannot await.

A server's `send` is a coroutine that waits only while the client reads too slowly. So it is started
at once and mostly finishes at once; otherwise its rest is returned, to be awaited.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from types import coroutine
from typing import Any

Send = Callable[[MutableMapping[str, Any]], Coroutine[Any, Any, None]]
WritePart = Callable[[bytes], Awaitable[None] | None]


def part_writer(send: Send) -> WritePart:
    """How a block of a body is written from a callback: by the server's own `write_part`, where it
    has one beside its `send` (`proxysite/http/cycle.py`), which costs a third; else by `send`.
    """
    own: WritePart | None = getattr(getattr(send, "__self__", None), "write_part", None)
    if own is not None:
        return own
    return lambda block: begun(
        send({"type": "http.response.body", "body": block, "more_body": True})
    )


def begun(sending: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Runs `sending` until it has to wait. None when it has finished, else its rest."""
    try:
        waits_for = sending.send(None)
    except StopIteration:
        return None
    return _rest(sending, waits_for)


@coroutine
def _rest(sending: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Passes on what `sending` waits for to whoever awaits this, and the outcome back."""
    try:
        while True:
            try:
                yield waits_for
            except GeneratorExit:
                sending.close()
                raise
            except BaseException as error:
                waits_for = sending.throw(error)
            else:
                waits_for = sending.send(None)
    except StopIteration:
        return
