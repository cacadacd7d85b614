"""The text of a key: made, checked, hashed, shown. Pure.

`sk-wai-` + 256 random bits in base62 + a CRC-32 of all before it in base62. By the checksum a
mistyped key is recognised without a query, and a real key by a scanner for leaked secrets.
"""

import hashlib
import hmac
import secrets
import zlib
from typing import Final

PREFIX: Final = "sk-wai-"
# Of tokens for the management API, which are no keys.
SERVICE_PREFIX: Final = "sk-wai-service-"
SECRET_BITS: Final = 256
SECRET_LENGTH: Final = 43  # 62 ** 43 > 2 ** 256 > 62 ** 42
CHECKSUM_LENGTH: Final = 6  # 62 ** 6 > 2 ** 32
KEY_LENGTH: Final = len(PREFIX) + SECRET_LENGTH + CHECKSUM_LENGTH

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGIT_SET: Final = frozenset(_DIGITS)


def make_key(prefix: str = PREFIX) -> str:
    body = prefix + _base62(secrets.randbits(SECRET_BITS), SECRET_LENGTH)
    return body + _checksum(body)


def is_well_formed(text: str, prefix: str = PREFIX) -> bool:
    """Whether `text`, which may be anything, has a key's length, prefix, digits and checksum."""
    if len(text) != KEY_LENGTH - len(PREFIX) + len(prefix) or not text.startswith(prefix):
        return False
    if not _DIGIT_SET.issuperset(text[len(prefix) :]):
        return False
    return hmac.compare_digest(_checksum(text[:-CHECKSUM_LENGTH]), text[-CHECKSUM_LENGTH:])


def digest(text: str) -> bytes:
    # A header may contain anything, lone surrogates included, and hashing must not fail.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def same_digest(a: bytes, b: bytes) -> bool:
    return hmac.compare_digest(a, b)


def display_prefix(text: str, prefix: str = PREFIX) -> str:
    return text[: len(prefix) + 5]


def last_four(text: str) -> str:
    return text[-4:]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
