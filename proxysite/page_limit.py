"""Bounds concurrent pages: a worker answers PAGES_AT_ONCE at a time, and the others wait.

Each page that is answered has a thread and a database connection. Many visitors of the pages,
signed in or not, must neither use up PostgreSQL's connections, which the ledger and other workers
need too, nor the CPU that `/v1` needs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase

PAGES_AT_ONCE: Final = 8
SIGN_ONS_AT_ONCE: Final = 3
SIGN_ON_PATH: Final = "/accounts/sso/"

Handler = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class PageLimitMiddleware:
    """Begins after the request's body has arrived, so that a slow upload holds no place."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._turn = asyncio.Semaphore(PAGES_AT_ONCE)
        self._sign_on_turn = asyncio.Semaphore(SIGN_ONS_AT_ONCE)
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        return self.__acall__(request) if self.is_async else self.get_response(request)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        asks_provider = request.path_info.startswith(SIGN_ON_PATH)
        async with self._sign_on_turn if asks_provider else self._turn:
            try:
                response = self.get_response(request)
                assert not isinstance(response, HttpResponseBase)
                return await response
            finally:
                # Now, and not once the page is sent: a slow reader holds no connection.
                await sync_to_async(connection.close_if_unusable_or_obsolete)()
