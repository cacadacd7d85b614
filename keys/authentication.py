"""Step one of a request: the key that was sent → its record, from memory alone.

`Authorization: Bearer KEY`, else `x-api-key: KEY`. Raises an `InvalidKey` of `errors.py`. The one
that is not final is `KeyUnknownSoFar`: the base view asks `KeyIndex.lookup` on a thread, once, and
tries again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from keys import errors, key_text
from keys.key_index import KeyIndex, KeyRecord, Refusal, index

# Longer than any key: what is longer is refused before it is hashed.
MAX_KEY_LENGTH: Final = 512

_REFUSED: Final[dict[Refusal, type[errors.InvalidKey]]] = {
    Refusal.REVOKED: errors.RevokedKey,
    Refusal.EXPIRED: errors.ExpiredKey,
    Refusal.OWNER_INACTIVE: errors.OwnerInactive,
}


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Stands in `request.user`, which DRF wants: whoever holds the key. No Django user is read."""

    id: int | None
    username: str
    is_authenticated: bool = True
    is_active: bool = True


class KeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, Any]:
        record = key_for(sent_key(request.META))
        return KeyHolder(record.owner_id, record.owner_name), record

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def sent_key(meta: Mapping[str, Any]) -> str:
    """The text of the key out of a request's META."""
    scheme, _, rest = meta.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return _one_key(rest)
    # Some apps send both, or sit behind a proxy that adds an Authorization of its own.
    if "HTTP_X_API_KEY" in meta:
        return _one_key(meta["HTTP_X_API_KEY"])
    raise errors.MalformedKey() if scheme else errors.MissingKey()


def key_for(text: str, index: KeyIndex = index) -> KeyRecord:
    digest = key_text.digest(text)
    found = index.find(digest)
    if isinstance(found, KeyRecord):
        return found
    if found is Refusal.UNKNOWN:
        if not key_text.is_well_formed(text):
            raise errors.MalformedKey()
        raise errors.KeyUnknownSoFar(digest)
    raise _REFUSED[found]()


def _one_key(header: str) -> str:
    text = header.strip()
    if not text:
        raise errors.MissingKey()
    if len(text) > MAX_KEY_LENGTH or "," in text or len(text.split()) != 1:
        raise errors.MalformedKey()
    return text
