"""What Cloudflare's AI Gateway is told of a request, beside the request itself.

With a person behind each request its own insights, spend limits and policies work per person. They
get numbers only: names stay here. Source: Cloudflare's documentation of AI Gateway's headers, read
up to November 2026; metadata has at most five flat entries.
"""

from collections.abc import Mapping
from typing import Final

import orjson
from django.conf import settings

from keys.access.key_record import KeyRecord

Headers = tuple[tuple[bytes, bytes], ...]

# What clients may say of its cache, where the operator lets them.
CACHE_HEADERS: Final = (b"cf-aig-cache-ttl", b"cf-aig-skip-cache", b"cf-aig-cache-key")
LONGEST_VALUE: Final = 256
# Read once: asking the settings is a call.
IS_USED: Final = bool(settings.CLOUDFLARE_AI_GATEWAY)
METADATA: Final[tuple[str, ...]] = tuple(settings.CLOUDFLARE_AI_GATEWAY_METADATA)
CACHE: Final[bool] = settings.CLOUDFLARE_AI_GATEWAY_CACHE


def gateway_headers(key: KeyRecord, sent: Mapping[bytes, bytes]) -> Headers:
    """Headers of a call upstream; `sent` are those of the client's own request."""
    if not IS_USED:
        return ()
    headers: list[tuple[bytes, bytes]] = []
    if METADATA:
        ids = {"key": key.id, "owner": key.owner_id, "team": key.team_id}
        known = {name: str(ids[name]) for name in METADATA if ids[name] is not None}
        headers.append((b"cf-aig-metadata", orjson.dumps(known)))
    if CACHE:
        headers += [
            (name, sent[name])
            for name in CACHE_HEADERS
            if name in sent and len(sent[name]) <= LONGEST_VALUE
        ]
    return tuple(headers)
