"""Reads the request's body, for every endpoint that takes JSON.

Comes in: a request whose body has not been read. Goes out: a JSON object. Endpoints that take files
read their body with `multipart.py` instead. Raises BodyTooLarge, WrongMediaType, BadRequest.
"""

from typing import Any

from django.conf import settings

from openai_api.errors import WrongMediaType
from openai_api.exchange import GatewayRequest
from openai_api.wire.fields import json_object


async def json_body(request: GatewayRequest) -> dict[str, Any]:
    """JSON is accepted under any media type, as curl sends another by default; what is clearly
    something else is refused.
    """
    named = media_type(request)
    if named.startswith((b"multipart/", b"image/", b"audio/", b"video/")):
        raise WrongMediaType(
            "This endpoint takes a JSON object: send it with 'Content-Type: application/json', "
            f"not '{shown(named)}'."
        )
    return json_object(await request.read_body(settings.MAX_BODY_BYTES))


def media_type(request: GatewayRequest) -> bytes:
    """The declared media type, without parameters."""
    return request.raw_headers.get(b"content-type", b"").partition(b";")[0].strip().lower()


def shown(header: bytes) -> str:
    return header.decode("latin-1")[:60]
