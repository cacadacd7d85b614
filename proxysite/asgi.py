"""The ASGI application: `/v1` to its own handler, health and metrics to small answers, the rest
to Django.
"""

import os
import time
from collections.abc import Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application

from proxysite import optional_packages

site = get_asgi_application()
optional_packages.leave_out()

# Django must be set up before anything that imports models.
from openai_api.errors import ApiError  # noqa: E402
from proxysite import health, metrics  # noqa: E402
from proxysite.access_log import log_request  # noqa: E402
from proxysite.api_handler import ApiHandler, Send, api_path  # noqa: E402
from proxysite.api_request import Receive  # noqa: E402
from proxysite.lifespan import lifespan  # noqa: E402
from proxysite.page_body import PageBodies  # noqa: E402
from proxysite.pages import pages  # noqa: E402
from proxysite.refusal_words import refusal_words  # noqa: E402
from proxysite.request_id import request_id_for  # noqa: E402

api = ApiHandler()
page_bodies = PageBodies()

PREFIX = settings.URL_PREFIX
HEALTH = {"/healthz": health.healthz, "/readyz": health.readyz}


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await serve_lifespan(receive, send)
        return
    path = scope["path"]
    if PREFIX and (path + "/").startswith(PREFIX + "/"):
        # A proxy may take it away, or leave it.
        path = path[len(PREFIX) :] or "/"
        scope = {**scope, "path": path}
    below_v1 = api_path(path)
    if below_v1 is not None:
        await api(scope, receive, send, below_v1)
    elif (bare := path.rstrip("/")) == "/metrics" and settings.METRICS_ALLOWED_NETWORKS:
        await serve_metrics(scope, send)
    elif bare in HEALTH:
        await serve_health(bare, send, request_id_for(dict(scope["headers"]).get(b"x-request-id")))
    else:
        # Django takes it away itself.
        await serve_site({**scope, "path": PREFIX + path} if PREFIX else scope, receive, send)


async def serve_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await lifespan.start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await lifespan.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def serve_health(path: str, send: Send, request_id: str) -> None:
    status, body = await HEALTH[path]()
    await serve_small(status, body, send, content_type=b"application/json", request_id=request_id)


async def serve_small(
    status: int,
    body: bytes,
    send: Send,
    *,
    content_type: bytes,
    request_id: str,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    encoded = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-request-id", request_id.encode()),
        *((name.lower().encode(), value.encode()) for name, value in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def serve_metrics(scope: dict[str, Any], send: Send) -> None:
    client_ip = scope["client"][0] if scope.get("client") else ""
    request_id = request_id_for(dict(scope["headers"]).get(b"x-request-id"))
    if metrics.is_allowed(client_ip):
        status, body = await metrics.metrics()
        content_type = metrics.CONTENT_TYPE
    else:
        status, body, content_type = 404, b"Not found.\n", b"text/plain"
    await serve_small(status, body, send, content_type=content_type, request_id=request_id)


async def serve_site(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Django's own handler, with the request id and the log line that every request gets."""
    started = time.monotonic()
    request_id = request_id_for(dict(scope["headers"]).get(b"x-request-id"))
    status = 500

    async def send_with_id(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            message = {
                **message,
                "headers": [
                    # Django's names have capitals.
                    *((name.lower(), value) for name, value in message["headers"]),
                    (b"x-request-id", request_id.encode()),
                ],
            }
        await send(message)

    try:
        await pages.imported()
        with page_bodies.reading(scope, receive) as bounded:
            await site(scope, bounded, send_with_id)  # type: ignore[arg-type]
    except ApiError as error:
        # The body is too large, too slow or broken: Django has not been asked anything yet.
        status = error.status
        content_type, body = refusal_words(error, scope["path"])
        await serve_small(
            status,
            body,
            send,
            content_type=content_type.encode(),
            request_id=request_id,
            headers=error.headers,
        )
    finally:
        log_request(
            method=scope.get("method", ""),
            path=scope["path"],
            status=status,
            duration_ms=(time.monotonic() - started) * 1000,
            request_id=request_id,
            client_ip=scope["client"][0] if scope.get("client") else "",
        )
