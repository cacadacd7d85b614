"""Find the key that an operator names: by its id, its display prefix, or its whole text."""

from django.db.models import QuerySet

from keys import key_text
from keys.models import Key, KeySecret


class NoSuchKey(LookupError):
    """The text names no key, or more than one."""


def key_named(text: str) -> Key:
    """`text` is an id or a display prefix that only one key has. Raises `NoSuchKey`."""
    text = text.strip()
    if text.isascii() and text.isdecimal() and len(text) < 19:
        key = Key.objects.select_related("owner").filter(pk=int(text)).first()
        if key is None:
            raise NoSuchKey(f"there is no key with the id {text}")
        return key
    keys = list(keys_with_prefix(text)[:2])
    if len(keys) == 1:
        return keys[0]
    shown = key_text.display_prefix(text)
    if keys:
        raise NoSuchKey(f"more than one key begins with {shown!r}: use its id from list_keys")
    raise NoSuchKey(f"no key begins with {shown!r}: it takes an id or a prefix from list_keys")


def keys_with_prefix(text: str) -> QuerySet[Key]:
    secrets = KeySecret.objects.filter(prefix=key_text.display_prefix(text))
    return Key.objects.select_related("owner").filter(pk__in=secrets.values("key_id"))


def key_with_text(text: str) -> QuerySet[Key]:
    """The key that this text is a current or former secret of."""
    secrets = KeySecret.objects.filter(sha256=key_text.digest(text.strip()).hex())
    return Key.objects.filter(pk__in=secrets.values("key_id"))
