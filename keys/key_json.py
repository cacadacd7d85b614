"""A key as JSON, as the commands print it. Its secret only in the answer that issues it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from keys.limits_json import ShownLimits, limits_of_keys
from keys.models import Key


def key_as_json(key: Key, text: str | None = None) -> dict[str, Any]:
    return keys_as_json([key], text)[0]


def keys_as_json(keys: Collection[Key], text: str | None = None) -> list[dict[str, Any]]:
    """The limits of all of them are read in one query."""
    limits = limits_of_keys(keys)
    return [_shown(key, text, limits[key.pk]) for key in keys]


def _shown(key: Key, text: str | None, limits: ShownLimits) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": key.pk,
        "name": key.name,
        "owner": key.owner.get_username() if key.owner else None,
    }
    if text is not None:
        shown["key"] = text
    return shown | {
        "prefix": key.prefix,
        "last_four": key.last_four,
        "state": key.state(),
        "static": key.is_static,
        "created_at": iso(key.created_at),
        "last_used_at": iso(key.last_used_at),
        "expires_at": iso(key.expires_at),
        "revoked_at": iso(key.revoked_at),
        "uses_reserve": key.uses_reserve,
        "limits": {
            **limits,
            "models": key.allowed_models,
            "endpoints": key.allowed_endpoints,
            "networks": key.allowed_networks,
        },
    }


def iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
