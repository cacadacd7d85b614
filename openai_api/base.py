"""The views that all endpoints build on: DRF's authentication and errors under an async dispatch.

DRF's own dispatch is synchronous and would put each request on a thread. This one authenticates
from memory, looks at the key's networks, counts what only reads, calls the handler and turns every
failure into OpenAI's error body. Nothing here may touch the database.
"""

from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Final

from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from keys.access.key_index import index
from keys.access.key_record import KeyRecord
from keys.errors import KeyUnknownSoFar, MissingKey
from keys.limits.admission import admit_read, check_address
from openai_api.errors import ClientGone, WrongMethod, error_response
from openai_api.from_database import ask_database
from openai_api.pipeline import Endpoint, answer

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]

# A thread of its own: one look-up brings memory up to date for all that wait, and a database that
# hangs must not occupy the threads that other requests need.
_LOOK_UPS: Final = ThreadPoolExecutor(1, "key-lookup")

# HTTP method → name of its handler.
METHODS = {"GET": "get", "HEAD": "get", "POST": "post"}


class GatewayView(APIView):
    """An endpoint. Handlers are `async def get/post(self, request, key, **path_parts)`."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> View:  # type: ignore[override]
        """One object serves all requests and keeps no state of any. Django would make one for each
        request, and DRF would wrap it against a CSRF check that `/v1` does not have.
        """
        return cls(**initkwargs).dispatch

    async def dispatch(  # type: ignore[override]
        self, request: Any, **kwargs: Any
    ) -> HttpResponseBase:
        try:
            handler = self._handler(request.method)
            try:
                key = self._key_in_memory(request)
            except KeyUnknownSoFar as unknown:
                # Well-formed and perhaps issued seconds ago: the database is asked once.
                await ask_database(index.lookup, unknown.digest, threads=_LOOK_UPS)
                key = self._key_in_memory(request)
            request.key_id = key.id
            check_address(key, request.client_ip)
            if METHODS[request.method] == "get":
                await admit_read(key)
            response: HttpResponseBase = await handler(request, key, **kwargs)
            return response
        except ClientGone:
            raise
        except Exception as error:
            return error_response(
                error,
                request_id=request.request_id,
                path=request.api_path,
                raw_headers=request.raw_headers,
            )

    def _handler(self, method: str) -> Any:
        handler = getattr(self, METHODS[method], None) if method in METHODS else None
        if handler is None:
            allowed = (name for name, handler in METHODS.items() if hasattr(self, handler))
            raise WrongMethod(method, ", ".join(allowed))
        return handler

    def _key_in_memory(self, request: Any) -> KeyRecord:
        """Asks the authenticators as DRF's Request does, without making such a Request for each
        call.
        """
        for authenticator in self.authentication_classes:
            found = authenticator().authenticate(request)
            if found is not None:
                _, key = found
                assert isinstance(key, KeyRecord)
                return key
        raise MissingKey


class EndpointView(GatewayView):
    """An endpoint that takes POST, and whose requests go through the pipeline."""

    endpoint: ClassVar[Endpoint[Any, Any]]

    def post(self, request: Any, key: KeyRecord) -> Coroutine[Any, Any, HttpResponseBase]:
        # No coroutine of its own: each is passed through at every wait of a request.
        return answer(self.endpoint, request, key)
