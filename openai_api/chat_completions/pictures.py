"""Pictures that a request names by http(s) URL, put into the request as data URLs.

Several models take data URLs only, and no model should fetch anything for us. They are fetched once
the request is admitted and paid for (`picture_fetch.py`). Raises BadRequest naming the picture.
"""

from collections.abc import AsyncIterator, Container, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from openai_api.chat_completions.picture_fetch import Fetch, fetcher
from openai_api.chat_completions.picture_memory import RequestPictures
from openai_api.chat_completions.request import become_text
from openai_api.errors import BadRequest
from openai_api.exchange import Exchange
from openai_api.runs import side_by_side

MAX_PICTURES = 16

# A content part with a picture or a file, and the name of its data in the caller's own request.
NamedPart = tuple[dict[str, Any], str]


async def inline_parts(
    exchange: Exchange, parts: Iterable[NamedPart], may_fail: Container[int] = ()
) -> bool:
    """Replaces the URLs in `parts` by what they point to; False where there is none.

    `may_fail` has the `id()` of parts that tools gave: where one cannot be fetched, words say so.
    """
    found = [(part, param) for part, param in parts if is_url(part)]
    if not found:
        return False
    if len(found) > MAX_PICTURES:
        raise BadRequest(
            f"At most {MAX_PICTURES} pictures of a request can be URLs; send others as data URLs.",
            param=found[MAX_PICTURES][1],
        )
    async with fetching(exchange) as fetch:
        # The first that fails ends the others.
        fetched = await side_by_side(
            partial(_fetched, fetch, url_of(part), name, may_fail=id(part) in may_fail)
            for part, name in found
        )
    for (part, _), picture in zip(found, fetched, strict=True):
        if isinstance(picture, BadRequest):
            become_text(part, f"[image: it could not be shown. {picture.message}]")
        else:
            part["image_url"] = {"url": picture}
    return True


async def _fetched(fetch: Fetch, url: str, name: str, *, may_fail: bool) -> str | BadRequest:
    try:
        return await fetch.picture(url, name)
    except BadRequest as error:
        if not may_fail:
            raise
        return error


@asynccontextmanager
async def fetching(exchange: Exchange) -> AsyncIterator[Fetch]:
    """Fetches for one request, within what it may hold in all."""
    shared, caller = fetcher(), exchange.caller.id
    async with shared.client() as client:
        held = exchange.holds
        if not isinstance(held, RequestPictures):
            exchange.holds = held = shared.room(caller)
        yield Fetch(shared, client, held, caller)


def is_url(part: dict[str, Any]) -> bool:
    """Whether it is still a picture, and one that has to be fetched."""
    return part["type"] == "image_url" and url_of(part)[:4].lower() == "http"


def url_of(part: dict[str, Any]) -> str:
    image = part["image_url"]
    return str(image["url"] if isinstance(image, dict) else image)
