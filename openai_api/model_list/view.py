"""`GET /v1/models` and `/v1/models/{id}`: what this key may run, from the catalog in memory.

One list for the clients of OpenAI and of Anthropic: it has the fields of both. Whole unless
`limit`, `after_id` or `before_id` ask for a page.
"""

from functools import lru_cache
from typing import Any, TypeAlias

import orjson
from django.http.response import HttpResponseBase

from catalog import learnt, resolve
from catalog.snapshot import current
from keys.access.key_record import KeyRecord
from openai_api.base import GatewayView
from openai_api.errors import ANTHROPIC_VERSION, BadRequest
from openai_api.model_list.entry import model_entry
from openai_api.served import PROTOCOLS, SERVED
from openai_api.wire.fields import wrong_value
from openai_api.wire.http_response import WholeResponse

MOST_IN_A_PAGE = 1000


class ModelsView(GatewayView):
    async def get(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        protocol = request.GET.get("protocol")
        if protocol is not None and protocol not in PROTOCOLS:
            known = ", ".join(f"'{name}'" for name in sorted(PROTOCOLS))
            raise BadRequest(
                f"Unknown protocol '{protocol[:60]}'. Known protocols: {known}.",
                param="protocol",
                code="invalid_value",
            )
        body = _list_body(_version(), key.model_patterns, _served(key), protocol, _Allows(key))
        return _response(_page(body, request.GET), request)


class ModelView(GatewayView):
    async def get(self, request: Any, key: KeyRecord, model_id: str) -> HttpResponseBase:
        listed = resolve.listed(model_id, served=_served(key), allows=key.allows_model)
        return _response(orjson.dumps(model_entry(listed)), request)


def _response(body: bytes, request: Any) -> WholeResponse:
    response = WholeResponse(body)
    if ANTHROPIC_VERSION in request.raw_headers:
        response["request-id"] = request.request_id
    return response


Version: TypeAlias = tuple[int, float, int]


class _Allows:
    """A key's rule as an argument that the cache ignores: the key's patterns are the cache's
    argument.
    """

    def __init__(self, key: KeyRecord) -> None:
        self.allows = key.allows_model

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Allows)


def _served(key: KeyRecord) -> tuple[str, ...]:
    """The endpoints that the key may use."""
    return tuple(name for name in SERVED if key.allows_endpoint(name))


def _version() -> Version:
    """Of the catalog, and of the ceilings that upstream taught since."""
    snapshot = current()
    return snapshot.revision, snapshot.loaded_at, learnt.ceilings_known()


@lru_cache(maxsize=256)
def _list_body(
    version: Version,
    patterns: tuple[str, ...] | None,
    served: tuple[str, ...],
    protocol: str | None,
    rule: _Allows,
) -> bytes:
    """The list, made once for each version of the catalog and each set of rights."""
    entries = resolve.listing(
        served=served,
        protocol_endpoint=PROTOCOLS[protocol] if protocol else None,
        allows=rule.allows,
    )
    return _written([model_entry(entry) for entry in entries])


def _written(entries: list[dict[str, Any]], *, has_more: bool = False) -> bytes:
    body: dict[str, Any] = {"object": "list", "data": entries, "has_more": has_more}
    if entries:
        body |= {"first_id": entries[0]["id"], "last_id": entries[-1]["id"]}
    return orjson.dumps(body)


def _page(body: bytes, query: Any) -> bytes:
    """What the query asks for of a whole list: Anthropic's pages."""
    limit, after, before = (query.get(name) for name in ("limit", "after_id", "before_id"))
    if limit is None and after is None and before is None:
        return body
    most = MOST_IN_A_PAGE
    if limit is not None:
        if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MOST_IN_A_PAGE):
            raise wrong_value("limit", f"a whole number from 1 to {MOST_IN_A_PAGE}", limit)
        most = int(limit)
    entries: list[dict[str, Any]] = orjson.loads(body)["data"]
    ids = [entry["id"] for entry in entries]
    begin = 0 if after is None else _position(ids, after, "after_id") + 1
    if before is None:
        end = begin + most
        return _written(entries[begin:end], has_more=end < len(entries))
    end = _position(ids, before, "before_id")
    begin = max(begin, end - most)
    return _written(entries[begin:end], has_more=begin > 0)


def _position(ids: list[str], model: str, param: str) -> int:
    try:
        return ids.index(model)
    except ValueError:
        raise wrong_value(param, "the id of a model of this list", model) from None
