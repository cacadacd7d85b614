"""`GET /v1/models` and `/v1/models/{id}`: what this key may run, from the catalog in memory."""

from functools import lru_cache
from typing import Any

import orjson
from django.http.response import HttpResponseBase

from catalog import resolve
from catalog.snapshot import current
from keys.access.key_record import KeyRecord
from openai_api.base import GatewayView
from openai_api.errors import BadRequest
from openai_api.model_list.entry import model_entry
from openai_api.served import PROTOCOLS, SERVED
from openai_api.wire.http_response import WholeResponse


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
        return WholeResponse(
            _list_body(_version(), key.model_patterns, _served(key), protocol, _Allows(key))
        )


class ModelView(GatewayView):
    async def get(self, request: Any, key: KeyRecord, model_id: str) -> HttpResponseBase:
        listed = resolve.listed(model_id, served=_served(key), allows=key.allows_model)
        return WholeResponse(orjson.dumps(model_entry(listed)))


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


def _version() -> tuple[int, float]:
    snapshot = current()
    return snapshot.revision, snapshot.loaded_at


@lru_cache(maxsize=256)
def _list_body(
    version: tuple[int, float],
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
    return orjson.dumps({"object": "list", "data": [model_entry(entry) for entry in entries]})
