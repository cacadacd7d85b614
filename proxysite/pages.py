"""The code of the pages: the admin, the members' pages and the management API.

No request to `/v1` needs it, and it is a fifth of a worker's start. So a thread imports it once
the worker serves, and whoever asks for a page before that waits meanwhile: Django would import it
on the event loop, in the way of everybody.
"""

import asyncio
import logging
import threading
from typing import Final

from django.urls import get_resolver

from proxysite import garbage

logger = logging.getLogger(__name__)

# After the start, whose first requests have the processor to themselves.
IMPORT_AFTER_S: Final = 1.0


class Pages:
    """Imports once, after a while or when the first page is asked for."""

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._imported = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._thread = threading.Thread(target=self._run, args=(loop,), name="pages", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    async def imported(self) -> None:
        """Returns once pages can be answered, or will tell what is wrong with them."""
        if self._thread is not None and not self._imported.is_set():
            self._wanted.set()
            await self._imported.wait()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        self._wanted.wait(IMPORT_AFTER_S)
        if self._stopping:
            return
        try:
            # Leads to all that is behind an address.
            _ = get_resolver().url_patterns
        except Exception:
            logger.exception("The pages cannot be imported, and will fail.")
        garbage.keep_what_exists()
        loop.call_soon_threadsafe(self._imported.set)


pages = Pages()
