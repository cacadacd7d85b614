"""Tokens that the playground sends instead of a key: short-lived, for one key of one user.

Pages do not get the key itself: the gateway stores only its hash, and a browser should not store a
key. So the page gets a signed token that names the key and its user. `authentication.py` checks the
signature without a query, and then the key like any other: a key that is revoked, has expired or
belongs to somebody else is refused, and requests count against the key's own limits. A token also
ends with the session (`signed_out.py`) and with the user's password. Pure, except for SECRET_KEY.
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
# Longer than any token that is made.
_LONGEST: Final = 160


@dataclass(frozen=True, slots=True)
class Grant:
    key_id: int
    user_id: int
    expires_at: float
    # Identifies the session in which the token was made.
    session_mark: str
    # Identifies the password that the user had then.
    password_mark: str


def make(key_id: int, user_id: int, now: float, session_key: str, password: str = "") -> str:
    """`password` is the hash that Django stores."""
    marks = f"{session_mark(session_key)}.{password_mark(user_id, password)}"
    body = f"{key_id}.{user_id}.{int(now) + LIFETIME_S}.{marks}"
    return f"{PREFIX}{body}.{_signature(body)}"


def read(text: str) -> Grant | None:
    """What a token grants, which may have expired; None where its signature is not valid."""
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
    """Identifies a session without revealing its key, which is the content of a cookie."""
    return _signature(f"session {session_key}")[:22]


def password_mark(user_id: int, password: str) -> str:
    """Identifies a password: it differs after each change, however it was made."""
    return _signature(f"password {user_id} {password}")[:22]


def _signature(body: str) -> str:
    digest = hmac.digest(_signing_key(settings.SECRET_KEY), body.encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


@cache
def _signing_key(secret: str) -> bytes:
    """A key for tokens alone, so that nothing else that is signed with SECRET_KEY is a token. The 2
    is for tokens with a password's mark, which an earlier release did not make."""
    return hashlib.sha256(b"keys.playground_token 2\0" + secret.encode()).digest()
