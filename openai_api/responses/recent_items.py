"""Items of recent answers, so that a client can refer to them by id in place of sending them again.

OpenAI keeps what it answered unless a request says `store: false`, and some clients count on that.
Here items stay in this worker's memory for a while, within a bound of bytes of which one key gets a
part; nothing is written anywhere. A reference may so find nothing, and the error says what to do.
"""

import time
from typing import Any

from django.conf import settings

from keys.access.key_record import KeyRecord
from openai_api.chat_completions.recent_items import RecentItems
from openai_api.errors import BadRequest
from openai_api.responses.request import is_reference
from openai_api.wire.fields import shown

_store: RecentItems | None = None


def recent_items() -> RecentItems:
    """This worker's items."""
    global _store
    if _store is None:
        _store = RecentItems(
            settings.RESPONSE_ITEMS_MAX_BYTES,
            settings.RESPONSE_ITEMS_TTL,
            clock=time.monotonic,
        )
    return _store


def recalled(body: dict[str, Any], key: KeyRecord) -> dict[str, Any]:
    """The body with the items in place of the references to them that are still there.

    Raises BadRequest where one is referred to twice, so that a short body cannot become a long one.
    """
    given = body.get("input")
    if not isinstance(given, list) or not any(map(is_reference, given)):
        return body
    items, seen = [], set()
    for position, item in enumerate(given):
        if not is_reference(item):
            items.append(item)
            continue
        if item["id"] in seen:
            raise BadRequest(
                f"Duplicate item found with id {shown(item['id'])}. Remove duplicate items from "
                "your input and try again.",
                param=f"input[{position}]",
                code="invalid_value",
            )
        seen.add(item["id"])
        items.append(recent_items().find(key.id, item["id"]) or item)
    return {**body, "input": items}
