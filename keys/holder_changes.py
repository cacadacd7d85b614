"""The limits of one holder changed, with an entry in the holder's history: the one way for commands
and for the management API."""

from collections.abc import Iterable

from django.db import transaction

from keys.key_changes import refuse_revoked
from keys.key_history import ended, note_change
from keys.limit_changes import change_limits
from keys.limit_holders import LimitHolder
from keys.models import Key
from keys.written_limits import WrittenLimit


def change_holder(
    holder: LimitHolder,
    limits: Iterable[WrittenLimit],
    *,
    by_id: int,
    more: Iterable[str] = (),
    how: str = "",
) -> list[str]:
    """What changed, in words; `more` is what the caller has changed besides. Raises `BadLimit`, and
    `CannotChangeKey` for the limits of a key that is revoked."""
    if isinstance(holder.record, Key):
        refuse_revoked(holder.record)
    with transaction.atomic():
        of_limits = change_limits(holder, limits)
        if holder.kind == "user":
            of_limits = [f"each user: {one}" for one in of_limits]
        told = [*more, *of_limits]
        if told:
            note_change(holder.record, by_id, ended("; ".join(told), how))
    return told
