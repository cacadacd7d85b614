"""A token in the place of a key, for the playground: short-lived, made from a session, and good for
one key of one user. Pure, but for the site's secret.

A browser must not hold a key for long, and the gateway could not give one back: it stores hashes.
So the page gets a token that says which key and whose it is, signed. `authentication.py` checks the
signature from memory, and then the key itself like any other: a key that is revoked, has expired
or went to somebody else opens nothing, and what is asked counts against the key's own limits. It
ends with the session too (`signed_out.py`), and with the password that its user had.
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
    # Of the password that the user had then.
    password_mark: str


def make(key_id: int, user_id: int, now: float, session_key: str, password: str = "") -> str:
    """`password` is the user's hash of it, as Django stores it."""
    marks = f"{session_mark(session_key)}.{password_mark(user_id, password)}"
    body = f"{key_id}.{user_id}.{int(now) + LIFETIME_S}.{marks}"
    return f"{PREFIX}{body}.{_signature(body)}"


def read(text: str) -> Grant | None:
    """What a token grants; None when nobody here signed it. It may be over."""
    body, _, signature = text[len(PREFIX) :].rpartition(".")
    if len(text) > _LONGEST or not text.isascii():
        return None
    if not hmac.compare_digest(_signature(body), signature):
        return None
    parts = body.split(".")
    if len(parts) != 5:
        return None
    return Grant(int(parts[0]), int(parts[1]), float(parts[2]), parts[3], parts[4])


def session_mark(session_key: str) -> str:
    """Tells a session from others without opening it: pages must not see what is in the cookie."""
    return _signature(f"session {session_key}")[:22]


def password_mark(user_id: int, password: str) -> str:
    """Another one after each change, whoever made it and wherever."""
    return _signature(f"password {user_id} {password}")[:22]


def _signature(body: str) -> str:
    digest = hmac.digest(_signing_key(settings.SECRET_KEY), body.encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


@cache
def _signing_key(secret: str) -> bytes:
    """Of its own, so that nothing else which the site signs is ever a token. The 2 is for tokens
    with the mark of a password, which a release before did not make."""
    return hashlib.sha256(b"keys.playground_token 2\0" + secret.encode()).digest()
