"""The view that all endpoints build on: DRF's authentication and errors under an async dispatch.

DRF's own dispatch is synchronous and would put each request on a thread. This one authenticates
from memory, calls the handler and turns every failure into OpenAI's error body. Nothing here may
touch the database.
"""

import asyncio
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from keys.errors import KeyUnknownSoFar, MissingKey
from keys.key_index import KeyRecord, index
from openai_api.errors import ClientGone, WrongMethod, error_response

# Method → the handler's name.
METHODS = {"GET": "get", "HEAD": "get", "POST": "post"}


class GatewayView(APIView):
    """An endpoint. Handlers are `async def get/post(self, request, key, **path_parts)`."""

    def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Without Django's `self.head = self.get`, a circle that only the collector would end."""
        self.request, self.args, self.kwargs = request, args, kwargs

    async def dispatch(  # type: ignore[override]
        self, request: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        try:
            handler = self._handler(request.method)
            key = await self._authenticated(request)
            request.key_id = key.id
            response: HttpResponseBase = await handler(request, key, **kwargs)
            return response
        except ClientGone:
            raise
        except Exception as error:
            return error_response(error, request_id=request.request_id, path=request.api_path)

    def _handler(self, method: str) -> Any:
        handler = getattr(self, METHODS[method], None) if method in METHODS else None
        if handler is None:
            allowed = (name for name, handler in METHODS.items() if hasattr(self, handler))
            raise WrongMethod(method, ", ".join(allowed))
        return handler

    async def _authenticated(self, request: Any) -> KeyRecord:
        """The key of the request; a well-formed one that memory lacks is looked up once."""
        try:
            return self._key_in_memory(request)
        except KeyUnknownSoFar as unknown:
            await asyncio.to_thread(_look_up, unknown.digest)
            return self._key_in_memory(request)

    def _key_in_memory(self, request: Any) -> KeyRecord:
        """As DRF's own Request asks them, which would wrap each request for this alone."""
        for authenticator in self.authentication_classes:
            found = authenticator().authenticate(request)
            if found is not None:
                _, key = found
                assert isinstance(key, KeyRecord)
                return key
        raise MissingKey


def _look_up(digest: bytes) -> None:
    """On a thread of the pool, which must not keep a connection."""
    try:
        index.lookup(digest)
    finally:
        connection.close()


def json_response(body: bytes) -> HttpResponse:
    return HttpResponse(body, content_type="application/json")
