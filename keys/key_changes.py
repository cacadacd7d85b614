"""Keys made, changed, rotated and revoked, with an entry in the history of each: the one way for
commands and for the management API. `how` ends the entry, such as 'by the command issue_key'."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from keys.errors import CannotChangeKey
from keys.key_history import changed_words, ended, note_change, note_made
from keys.limit_changes import change_limits
from keys.limit_holders import holder_of_key, holder_of_users
from keys.models import Key
from keys.written_limits import WrittenLimit

# What still has a meaning for a key that is not in force any more.
OF_A_REVOKED_KEY: Final = frozenset(
    {"name", "notes", "queue_weight", "uses_reserve", "capture_text", "capture_days"}
)


def issue_key(
    *,
    name: str,
    owner: Any,
    fields: Mapping[str, Any],
    by_id: int,
    limits: Iterable[WrittenLimit] = (),
    user_limits: Iterable[WrittenLimit] = (),
    how: str = "",
) -> tuple[Key, str]:
    """A new key with its text, which cannot be shown again. Raises ValidationError with the name of
    the field, and `BadLimit`; nothing is made then."""
    refuse_past_expiry(fields)
    refuse_inactive_owner(owner)
    with transaction.atomic():
        key, text = Key.issue(name=name.strip(), owner=owner, **fields)
        change_limits(holder_of_key(key), limits)
        change_limits(holder_of_users(key), user_limits)
        told = f"Issued, {key.prefix}…{key.last_four}"
        note_made(key, by_id, f"{told}, {how}." if how else f"{told}.")
    return key, text


def change_key(
    key: Key,
    *,
    fields: Mapping[str, Any],
    by_id: int,
    limits: Iterable[WrittenLimit] = (),
    user_limits: Iterable[WrittenLimit] = (),
    how: str = "",
) -> list[str]:
    """Changes what is named; what changed, in words. Call it in a transaction that has taken the
    next `Revision` before it read the key. Raises ValidationError with the name of the field,
    `BadLimit`, and `CannotChangeKey` where the key is revoked; nothing may be kept then."""
    limits, user_limits = list(limits), list(user_limits)
    is_limited = limits or user_limits or fields.keys() - OF_A_REVOKED_KEY
    if is_limited:
        refuse_revoked(key)
    told = _change_fields(key, fields)
    told += change_limits(holder_of_key(key), limits)
    told += [f"each user: {one}" for one in change_limits(holder_of_users(key), user_limits)]
    if told:
        note_change(key, by_id, ended("; ".join(told), how))
    return told


def rotate_key(
    key: Key, overlap: timedelta, *, by_id: int, overlap_text: str, how: str = ""
) -> str:
    """The new secret's text. Raises `CannotChangeKey`, and OverflowError for an overlap beyond the
    calendar."""
    with transaction.atomic():
        text = key.rotate(overlap)
        told = (
            f"Rotated {how}, overlap {overlap_text}" if how else f"Rotated, overlap {overlap_text}"
        )
        note_change(key, by_id, f"{told}.")
    return text


def revoke_key(key: Key, *, by_id: int, how: str = "") -> bool:
    """False where it was revoked before."""
    with transaction.atomic():
        if not key.revoke():
            return False
        note_change(key, by_id, f"Revoked {how}." if how else "Revoked.")
    return True


def refuse_revoked(key: Key) -> None:
    """Raises `CannotChangeKey`."""
    if key.revoked_at is not None:
        raise CannotChangeKey(f"Key {key.pk} ({key.name}) is revoked for good: issue a new one.")


def refuse_past_expiry(fields: Mapping[str, Any]) -> None:
    """Raises ValidationError."""
    end = fields.get("expires_at")
    if end is not None and end <= timezone.now():
        raise ValidationError({"expires_at": "This moment is over. To end a key now, revoke it."})


def refuse_inactive_owner(owner: Any) -> None:
    """Raises ValidationError."""
    if owner is not None and not owner.is_active:
        raise ValidationError({"owner": "This account is not active: make it active first."})


def _change_fields(key: Key, fields: Mapping[str, Any]) -> list[str]:
    before = {name: getattr(key, name) for name in fields}
    changed = [name for name, value in fields.items() if before[name] != value]
    if "expires_at" in changed:
        refuse_past_expiry(fields)
    if "owner" in changed:
        refuse_inactive_owner(fields["owner"])
    for name in changed:
        setattr(key, name, fields[name])
    # What is not changed is not judged anew: it may be older than a rule.
    key.full_clean(exclude=[each.name for each in key._meta.fields if each.name not in changed])
    if changed:
        key.save(update_fields=changed)
    return [changed_words(name, before[name], fields[name]) for name in changed]
