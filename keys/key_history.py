"""Entries in the admin's history of a key, a team, an account or a holder of limits, for
changes made by commands, by members and at sign-ons.

Django's history needs an account for each entry. Changes by a command are entered under an account
that nobody can sign in with.
"""

from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import models

COMMAND_ACCOUNT: Final = "manage.py"
# Before the name of a service token, in the name of the account for changes made with it. No
# account that people make has a colon in its name.
SERVICE_ACCOUNTS: Final = "service:"
_WORDS: Final = {
    "expires_at": "expires",
    "allowed_models": "models",
    "allowed_endpoints": "endpoints",
    "allowed_networks": "networks",
    "queue_weight": "weight",
    "uses_reserve": "use of the reserved neurons",
}


def note_made(changed: models.Model, user_id: int, what: str) -> None:
    _note(changed, user_id, ADDITION, what)


def note_change(changed: models.Model, user_id: int, what: str) -> None:
    _note(changed, user_id, CHANGE, what)


def note_deleted(deleted: models.Model, user_id: int, what: str = "") -> None:
    """Call it while the row still has its id."""
    _note(deleted, user_id, DELETION, what)


def ended(told: str, how: str) -> str:
    """'rpm: 60 → 120.', or with a `how` such as 'by the command change_key' a sentence more."""
    return f"{told}. {how[:1].upper()}{how[1:]}." if how else f"{told}."


def changed_words(field: str, before: Any, after: Any) -> str:
    """'expires: none → 2027-01-31 00:00 UTC', of a key's or a team's field."""
    return f"{_WORDS.get(field, field)}: {_shown(before)} → {_shown(after)}"


def command_account_id() -> int:
    """The id of the account for changes by `manage.py`."""
    account, _ = get_user_model().objects.get_or_create(
        username=COMMAND_ACCOUNT,
        # The same as `set_unusable_password`, within the one statement.
        defaults={"is_active": False, "password": make_password(None)},
    )
    return int(account.pk)


def _note(changed: models.Model, user_id: int, action: int, what: str) -> None:
    LogEntry.objects.log_actions(user_id, [changed], action, what, single_object=True)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return "none" if value in (None, "") else str(value)
