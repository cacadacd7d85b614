"""The one Workers AI client of this process's event loop: made on first use, closed at shutdown."""

import asyncio

from workers_ai.client import WorkersAIClient
from workers_ai.configured import client_from_settings

_client: WorkersAIClient | None = None
_loop: asyncio.AbstractEventLoop | None = None


def client(loop: asyncio.AbstractEventLoop | None = None) -> WorkersAIClient:
    """The client of the running loop; asking for that is a system call, so pass it where known."""
    global _client, _loop
    loop = loop or asyncio.get_running_loop()
    if _client is None or _loop is not loop:
        _client, _loop = client_from_settings(), loop
    return _client


async def close_client() -> None:
    global _client, _loop
    if _client is not None:
        closing, _client, _loop = _client, None, None
        await closing.aclose()
