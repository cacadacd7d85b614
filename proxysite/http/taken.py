"""How much of what was written to a client it has taken, as its own machine says.

The size of the buffers says less: the kernel's hold megabytes, and grow and shrink by lumps.
"""

import contextlib
import socket
import struct
from asyncio import Transport
from typing import Any, Final

# linux/tcp.h, struct tcp_info: packets sent and not acknowledged, bytes acknowledged so far, and
# bytes that were not sent yet.
_UNACKED, _ACKED, _NOT_SENT = (struct.Struct(form) for form in ("=24xI", "=120xQ", "=144xI"))
_SIZE: Final = 152
_TCP_INFO: Final = getattr(socket, "TCP_INFO", None)


def progress(transport: Any) -> tuple[int, bool]:
    """A number that changes whenever the client takes something, and whether it has taken all."""
    waiting = transport.get_write_buffer_size()
    if _TCP_INFO is None:  # not Linux: only what the process itself holds is known
        return -waiting, waiting == 0
    try:
        info = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _SIZE)
    except OSError:
        return 0, waiting == 0
    if len(info) < _SIZE:
        return -waiting, waiting == 0
    (acked,), (unacked,) = _ACKED.unpack_from(info), _UNACKED.unpack_from(info)
    (not_sent,) = _NOT_SENT.unpack_from(info)
    return acked, not (waiting or unacked or not_sent)


def cut(transport: Transport) -> None:
    """Ends the connection now, and lets the kernel throw away what it holds for the client."""
    with contextlib.suppress(OSError):  # it is gone already
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
    transport.abort()
