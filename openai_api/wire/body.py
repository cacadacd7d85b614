"""Reads the request's body, for every endpoint that takes JSON.

Comes in: a request whose body has not been read. Goes out: a JSON object. Endpoints that take files
read their body with `multipart.py` instead. Raises BodyTooLarge, WrongMediaType, BadRequest.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from django.conf import settings

from openai_api.errors import WrongMediaType
from openai_api.exchange import GatewayRequest
from openai_api.wire.fields import json_object
from openai_api.wire.left_in_body import chat_object
from openai_api.wire.tool_lists import LEAST_BYTES, tool_lists

# Parsing takes a millisecond or two for each megabyte. One at a time, since a large body takes
# several times its size while it is parsed.
PARSED_ON_THE_LOOP_BYTES: Final = 4 * 1024 * 1024
# Read once: asking the settings is a call.
MAX_BODY_BYTES: Final[int] = settings.MAX_BODY_BYTES
_JSON: Final = b"application/json"
_large_bodies: Final = ThreadPoolExecutor(1, "json")


def chat_body(request: GatewayRequest) -> Awaitable[dict[str, Any]]:
    """The body of a chat in any dialect: long pictures of its messages are LeftInBody, and tools
    that came before are those of the earlier request."""
    key_id = request.key_id

    def parse(body: bytes) -> dict[str, Any]:
        # What is not parsed here shares nothing with other threads.
        if key_id is None or not LEAST_BYTES < len(body) <= PARSED_ON_THE_LOOP_BYTES:
            return chat_object(body)
        return tool_lists.chat_object(key_id, body)

    return json_body(request, parse)


async def json_body(
    request: GatewayRequest, parse: Callable[[bytes], dict[str, Any]] = json_object
) -> dict[str, Any]:
    """JSON is accepted under any media type, as curl sends another by default; what is clearly
    something else is refused.
    """
    if request.raw_headers.get(b"content-type") != _JSON:
        named = media_type(request)
        if named.startswith((b"multipart/", b"image/", b"audio/", b"video/")):
            raise WrongMediaType(
                "This endpoint takes a JSON object: send it with 'Content-Type: application/json', "
                f"not '{shown(named)}'."
            )
    body = await request.read_body(MAX_BODY_BYTES)
    if len(body) > PARSED_ON_THE_LOOP_BYTES:
        return await asyncio.get_running_loop().run_in_executor(_large_bodies, parse, body)
    return parse(body)


def media_type(request: GatewayRequest) -> bytes:
    """The declared media type, without parameters."""
    return request.raw_headers.get(b"content-type", b"").partition(b";")[0].strip().lower()


def shown(header: bytes) -> str:
    return header.decode("latin-1")[:60]
