"""`GET /v1/openapi.json`: the document, for everybody. It holds nothing that a key protects, and
tools that read it send none.
"""

import hashlib
from functools import cache
from typing import Any

import orjson
from django.conf import settings
from django.http.response import HttpResponseBase

from openai_api.base import METHODS, GatewayView
from openai_api.description.document import document
from openai_api.wire.http_response import WholeResponse

_ETAG_BYTES = 16


@cache
def _document() -> tuple[bytes, str]:
    """(body, ETag), made when it is first asked for."""
    made = document(
        default_image_model=settings.DEFAULT_IMAGE_MODEL,
        most_images=settings.MAX_IMAGE_COUNT,
        most_body_bytes=settings.MAX_BODY_BYTES,
    )
    body = orjson.dumps(made)
    return body, f'"{hashlib.blake2b(body, digest_size=_ETAG_BYTES).hexdigest()}"'


class OpenApiView(GatewayView):
    async def dispatch(  # type: ignore[override]
        self, request: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if METHODS.get(request.method) != "get":
            return await super().dispatch(request, **kwargs)
        return await self.get(request)

    async def get(self, request: Any) -> HttpResponseBase:
        body, etag = _document()
        known = request.raw_headers.get(b"if-none-match", b"").decode("latin-1")
        is_known = known.strip() == "*" or etag in (
            tag.strip().removeprefix("W/") for tag in known.split(",")
        )
        response = WholeResponse(b"" if is_known else body)
        if is_known:
            response.status_code = 304
        response["ETag"] = etag
        response["Cache-Control"] = "no-cache"
        return response
