"""A token in the place of a key, for the playground: short-lived, made from a session, and good for
one key of one user. Pure, but for the site's secret.

A browser must not hold a key for long, and the gateway could not give one back: it stores hashes.
So the page gets a token that says which key and whose it is, signed. `authentication.py` checks the
signature from memory, and then the key itself like any other: a key that is revoked, has expired
or went to somebody else opens nothing, and what is asked counts against the key's own limits. It
ends with the session too (`signed_out.py`).
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from typing import Final

from django.conf import settings

PREFIX: Final = "play-wai-"
LIFETIME_S: Final = 600
# Longer than any that is made.
_LONGEST: Final = 160


@dataclass(frozen=True, slots=True)
class Grant:
    key_id: int
    user_id: int
    expires_at: float
    # Of the browser's session that it was made in.
    session_mark: str


def make(key_id: int, user_id: int, now: float, session_key: str) -> str:
    body = f"{key_id}.{user_id}.{int(now) + LIFETIME_S}.{session_mark(session_key)}"
    return f"{PREFIX}{body}.{_signature(body)}"


def read(text: str) -> Grant | None:
    """What a token grants; None when nobody here signed it. It may be over."""
    body, _, signature = text[len(PREFIX) :].rpartition(".")
    if len(text) > _LONGEST or not text.isascii():
        return None
    if not hmac.compare_digest(_signature(body), signature):
        return None
    key_id, user_id, expires_at, mark = body.split(".")
    return Grant(int(key_id), int(user_id), float(expires_at), mark)


def session_mark(session_key: str) -> str:
    """Tells a session from others without opening it: pages must not see what is in the cookie."""
    return _signature(f"session {session_key}")[:22]


def _signature(body: str) -> str:
    digest = hmac.digest(_signing_key(settings.SECRET_KEY), body.encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


@cache
def _signing_key(secret: str) -> bytes:
    """Of its own, so that nothing else which the site signs is ever a token."""
    return hashlib.sha256(b"keys.playground_token\0" + secret.encode()).digest()
