"""The few requests of `/v1` that need the database: on a thread, and within a time limit."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from django.db import connection

from storage.errors import DatabaseUnavailable

ANSWERS_WITHIN_S: Final = 10.0

T = TypeVar("T")


async def ask_database(
    read: Callable[..., T], *arguments: Any, threads: ThreadPoolExecutor | None = None
) -> T:
    """What `read` gives, on one of the `threads`, which keeps no connection. Raises what `read`
    does, and DatabaseUnavailable after ANSWERS_WITHIN_S: a statement may wait behind somebody's
    lock for hours."""

    def ask() -> T:
        try:
            return read(*arguments)
        finally:
            connection.close()

    asked = asyncio.get_running_loop().run_in_executor(threads, ask)
    try:
        return await asyncio.wait_for(asked, ANSWERS_WITHIN_S)
    except TimeoutError:
        raise DatabaseUnavailable(f"no answer within {ANSWERS_WITHIN_S:g} s") from None
