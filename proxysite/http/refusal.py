"""The answer to a request that the connection itself turns away, in the words of its path."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from openai_api.errors import ApiError, error_response
from proxysite.access_log import log_request
from proxysite.api_handler import api_path
from proxysite.refusal_words import refusal_words
from proxysite.request_id import request_id_for

Application = Callable[..., Awaitable[None]]


def refusal(error: ApiError) -> Application:
    """An ASGI application that answers with `error` and reads nothing."""

    async def refuse(scope: dict[str, Any], receive: Any, send: Any) -> None:
        started = time.monotonic()
        sent = dict(scope["headers"])
        request_id = request_id_for(sent.get(b"x-request-id"))
        below_v1 = api_path(scope["path"])
        status, headers = error.status, dict(error.headers)
        if below_v1 is None:
            headers["content-type"], body = refusal_words(error, scope["path"])
        else:
            response = error_response(error, request_id=request_id, path=below_v1, raw_headers=sent)
            status, body, headers = response.status_code, response.content, dict(response.items())
        headers |= {"content-length": str(len(body)), "x-request-id": request_id}
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})
        log_request(
            method=scope["method"],
            path=scope["path"] or "-",
            status=status,
            duration_ms=(time.monotonic() - started) * 1000,
            request_id=request_id,
            client_ip=scope["client"][0] if scope.get("client") else "",
            note=error.code or "",
        )

    return refuse
