"""ETags, and the conditions of requests that name them (RFC 9110, sections 8.8 and 13)."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from management_api.problems import Problem

# What changes without anybody's change: no part of the ETag.
VOLATILE: Final = frozenset(
    {"last_used_at", "state", "used", "reserved", "remaining", "resets_at", "in_force"}
)


def etag_of(shown: Mapping[str, Any], volatile: Collection[str] = VOLATILE) -> str:
    """A strong ETag of an object as the API shows it."""
    lasting = {name: value for name, value in shown.items() if name not in volatile}
    text = json.dumps(lasting, sort_keys=True, default=str)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def check_if_match(request: Any, shown: Mapping[str, Any]) -> None:
    """Raises Problem where the request is meant for another state of the object. Call it once the
    lock is taken that every change of the object takes."""
    header = request.META.get("HTTP_IF_MATCH")
    if header is None:
        return
    now = etag_of(shown)
    if header.strip() != "*" and now not in _listed(header):
        raise Problem(
            412,
            "changed_meanwhile",
            "It was changed since this ETag was given: read it again.",
            headers={"ETag": now},
        )


def is_known(request: Any, etag: str) -> bool:
    """Whether the client has this state already (If-None-Match)."""
    header = request.META.get("HTTP_IF_NONE_MATCH")
    if header is None:
        return False
    listed = {tag.removeprefix("W/") for tag in _listed(header)}
    return header.strip() == "*" or etag in listed


def _listed(header: str) -> set[str]:
    # None of ours has a comma in it.
    return {tag.strip() for tag in header.split(",")}
