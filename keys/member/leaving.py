"""What becomes of the keys of somebody who leaves."""

from typing import Any

from keys.key_history import note_change
from keys.models import Key


def revoke_keys_of(user: Any, told: str, by_user_id: int) -> int:
    """How many keys were revoked now; `told` goes into the history of each."""
    revoked = 0
    for key in Key.objects.filter(owner=user, revoked_at=None):
        if key.revoke():
            note_change(key, by_user_id, told)
            revoked += 1
    return revoked
