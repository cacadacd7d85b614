"""Step one of a request: find the record of the key that was sent, in memory, without a query.

`Authorization: Bearer KEY`, else `x-api-key: KEY`; the playground sends a token instead of a
key. Raises an `InvalidKey` of `keys/errors.py`. One of these is not final, `KeyUnknownSoFar`: the
base view calls `KeyIndex.lookup` on a thread, once, and tries again.
"""

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from keys import errors, key_text
from keys.access import playground_token
from keys.access.key_index import KeyIndex, Refusal, index
from keys.access.key_record import KeyRecord
from keys.access.signed_out import signed_out

# Longer than any key. Longer text is refused before it is hashed.
MAX_KEY_LENGTH: Final = 512

_REFUSED: Final[dict[Refusal, type[errors.InvalidKey]]] = {
    Refusal.REVOKED: errors.RevokedKey,
    Refusal.EXPIRED: errors.ExpiredKey,
    Refusal.OWNER_INACTIVE: errors.OwnerInactive,
}


class KeyHolder(NamedTuple):
    """The `request.user` that DRF expects: the key's owner, without reading a Django user."""

    id: int | None
    username: str
    is_authenticated: bool = True
    is_active: bool = True


class KeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Any) -> tuple[Any, Any]:
        record = key_for(sent_key(request.raw_headers))
        return KeyHolder(record.owner_id, record.owner_name), record

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def sent_key(headers: Mapping[bytes, bytes]) -> str:
    """The key in a request's headers, whose names are lower case."""
    authorization = headers.get(b"authorization", b"").decode("latin-1")
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return _one_key(rest)
    # Some apps send both, or are behind a proxy that adds an Authorization header of its own.
    if b"x-api-key" in headers:
        return _one_key(headers[b"x-api-key"].decode("latin-1"))
    raise errors.MalformedKey() if scheme else errors.MissingKey()


def key_for(text: str, index: KeyIndex = index) -> KeyRecord:
    if text.startswith(playground_token.PREFIX):
        return _key_granted(text, index)
    digest = key_text.digest(text)
    found = index.find(digest)
    if isinstance(found, KeyRecord):
        return found
    if found is Refusal.UNKNOWN:
        if not key_text.is_well_formed(text) and not index.is_static(digest):
            raise errors.MalformedKey()
        raise errors.KeyUnknownSoFar(digest)
    raise _REFUSED[found]()


def _key_granted(token: str, index: KeyIndex) -> KeyRecord:
    """The key that a playground token is for, if it is in force and still belongs to the user."""
    grant = playground_token.read(token)
    if grant is None:
        raise errors.MalformedKey()
    if grant.expires_at <= time.time() or signed_out.has(grant.session_mark):
        raise errors.PlaygroundTokenExpired()
    found = index.find_by_id(grant.key_id)
    if found is Refusal.UNKNOWN:
        # The key may be seconds old. Looking up any digest reads all that has changed.
        raise errors.KeyUnknownSoFar(key_text.digest(token))
    if isinstance(found, Refusal):
        raise _REFUSED[found]()
    if found.owner_id != grant.user_id:
        raise errors.UnknownKey()
    if found.owner_mark != grant.password_mark:
        raise errors.PlaygroundTokenExpired()
    return found


def _one_key(header: str) -> str:
    text = header.strip()
    if not text:
        raise errors.MissingKey()
    if len(text) > MAX_KEY_LENGTH or "," in text or len(text.split()) != 1:
        raise errors.MalformedKey()
    return text
