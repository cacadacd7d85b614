"""The code of the pages: the admin, the members' pages and the management API.

No request to `/v1` needs it, and it is 8 MiB and much CPU at a start. So it is imported when
somebody asks for the first page, by a thread: Django would do it on the event loop, in the way of
everybody.
"""

import asyncio
import logging
from typing import Final

from django.urls import get_resolver

from proxysite import garbage

logger = logging.getLogger(__name__)


class Pages:
    """Imports once."""

    def __init__(self) -> None:
        self._import: asyncio.Task[None] | None = None

    async def imported(self) -> None:
        """Returns once pages can be answered, or will tell what is wrong with them."""
        if self._import is None:
            self._import = asyncio.create_task(asyncio.to_thread(_import_all))
        if not self._import.done():
            # Others wait for it too when this one is given up.
            await asyncio.shield(self._import)


def _import_all() -> None:
    try:
        # Leads to all that is behind an address.
        _ = get_resolver().url_patterns
    except Exception:
        logger.exception("The pages cannot be imported, and will fail.")
    garbage.keep_what_exists()


pages: Final = Pages()
