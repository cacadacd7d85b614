"""The handler of `/v1`: from an ASGI scope directly to a view of `openai_api` and back.

Django's stock handler serves the admin and the pages. Its middleware, signals and switches
between threads cost more than everything else a request to `/v1` needs, so these requests come
here. In every case the answer is in OpenAI's form, has `x-request-id`, and makes one line in the
access log.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, MutableMapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, get_resolver

from openai_api.errors import ClientGone, UnknownPath, UpgradeRequired, error_response
from openai_api.urls import FIRST_SEGMENTS, urlpatterns
from openai_api.wire.http_response import StreamedResponse
from proxysite.access_log import log_request
from proxysite.api_request import ApiRequest, Receive
from proxysite.cors import Headers, cors_headers, preflight_headers
from proxysite.telemetry import switch

logger = logging.getLogger(__name__)

Send = Callable[[MutableMapping[str, Any]], Coroutine[Any, Any, None]]
View = Callable[..., Awaitable[HttpResponseBase]]

CLIENT_CLOSED_REQUEST = 499

# Each path of the API as it is written in the documentation, and what of it is below `/v1`.
_USUAL_PATHS = {f"/v1/{pattern.pattern}": str(pattern.pattern) for pattern in urlpatterns}


def api_path(path: str) -> str | None:
    """The path below `/v1` without slashes around it; None when the path is not the API's.

    `/v1` may be missing or doubled, as base URLs are typed by people.
    """
    usual = _USUAL_PATHS.get(path)
    if usual is not None:
        return usual
    segments = [segment for segment in path.split("/") if segment]
    below_v1 = False
    while segments and segments[0] == "v1":
        segments.pop(0)
        below_v1 = True
    if below_v1 or (segments and segments[0] in FIRST_SEGMENTS):
        return "/".join(segments)
    return None


@lru_cache(maxsize=512)
def _encoded(header: tuple[str, str]) -> tuple[bytes, bytes]:
    """A header for the wire. Nearly all answers have the same ones."""
    name, value = header
    return name.lower().encode("latin-1"), value.encode("latin-1")


class ApiHandler:
    """Serves one request: preflight, view, answer, log line."""

    def __init__(self) -> None:
        self._fixed_paths: dict[str, View] = {}
        self._allowed_origins: Collection[str] = settings.CORS_ALLOWED_ORIGINS

    async def __call__(
        self, scope: dict[str, Any], receive: Receive, send: Send, path: str
    ) -> None:
        request = ApiRequest(scope, receive, path)
        if switch.telemetry is not None:
            request.trace = switch.telemetry.begin(request)
        status = 500
        try:
            try:
                if request.method == "OPTIONS":
                    response: HttpResponseBase = HttpResponse(status=204)
                else:
                    view, kwargs = self._resolve(request)
                    response = await view(request, **kwargs)
            except (asyncio.CancelledError, ClientGone):
                raise
            except Exception as error:
                response = error_response(
                    error,
                    request_id=request.request_id,
                    path=request.api_path,
                    raw_headers=request.raw_headers,
                )
            status = response.status_code
            await self._deliver(request, response, send)
        except (asyncio.CancelledError, ClientGone):
            if not request.client_gone:
                raise  # the worker stops
            status = CLIENT_CLOSED_REQUEST
        finally:
            request.stop_watching()
            if request.trace is not None:
                request.trace.end(status)
            log_request(
                method=str(request.method),
                path=request.path,
                status=status,
                duration_ms=(time.monotonic() - request.started) * 1000,
                request_id=request.request_id,
                client_ip=request.client_ip,
                key_id=request.key_id,
            )

    def _resolve(self, request: ApiRequest) -> tuple[View, dict[str, Any]]:
        if "extensions" in request.scope:
            raise UpgradeRequired
        path = request.api_path
        view = self._fixed_paths.get(path)
        if view is not None:
            return view, {}
        try:
            match = get_resolver("openai_api.urls").resolve("/" + path)
        except Resolver404:
            raise UnknownPath(path) from None
        if not match.kwargs:
            self._fixed_paths[path] = match.func
        return match.func, match.kwargs

    async def _deliver(self, request: ApiRequest, response: HttpResponseBase, send: Send) -> None:
        status = response.status_code
        if request.method != "POST" and not response.has_header("Cache-Control"):
            # Of one key, which no cache on the way may know: x-api-key says nothing to it.
            response["Cache-Control"] = "no-store"
        headers = [*map(_encoded, response.headers.items()), *request.response_headers]
        if self._allowed_origins:
            headers += self._cors(request)
        if isinstance(response, StreamedResponse):
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await response.send_blocks(send)
            return
        body: bytes = response.content  # type: ignore[attr-defined]
        if status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(body)))
        if request.method == "HEAD":
            body = b""
        if request.server is not None:
            await request.server.answer(status, headers, body)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _cors(self, request: ApiRequest) -> Headers:
        origin = request.raw_headers.get(b"origin")
        if request.method == "OPTIONS" and origin is not None:
            asked = request.raw_headers.get(b"access-control-request-headers")
            return preflight_headers(origin, asked, self._allowed_origins)
        return cors_headers(origin, self._allowed_origins)
