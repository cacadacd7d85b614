"""Entries in a key's history in the admin, for changes made by commands and by members.

Django's history needs an account for each entry. Changes by a command are entered under an account
that nobody can sign in with.
"""

from typing import Final

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from keys.models import Key

COMMAND_ACCOUNT: Final = "manage.py"


def note_made(key: Key, user_id: int, what: str) -> None:
    _note(key, user_id, ADDITION, what)


def note_change(key: Key, user_id: int, what: str) -> None:
    _note(key, user_id, CHANGE, what)


def command_account_id() -> int:
    """The id of the account for changes by `manage.py`."""
    account, _ = get_user_model().objects.get_or_create(
        username=COMMAND_ACCOUNT,
        # The same as `set_unusable_password`, within the one statement.
        defaults={"is_active": False, "password": make_password(None)},
    )
    return int(account.pk)


def _note(key: Key, user_id: int, action: int, what: str) -> None:
    LogEntry.objects.log_actions(user_id, [key], action, what, single_object=True)
