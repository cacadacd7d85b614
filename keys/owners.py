"""Owners of keys as commands and the management API make, change and show them."""

from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet

from keys.key_history import COMMAND_ACCOUNT, SERVICE_ACCOUNTS, note_change
from keys.key_json import iso
from keys.limit_holders import holder_of_owner_as_read
from keys.limits_json import limits_of
from keys.models import Key, OwnerLimits

MOST_KEYS: Final = 2**31 - 1


def owner_accounts() -> QuerySet[Any]:
    """Accounts that may have keys: all but those under which commands and service tokens are
    noted."""
    accounts = get_user_model().objects.exclude(username=COMMAND_ACCOUNT)
    return accounts.exclude(username__startswith=SERVICE_ACCOUNTS)


def make_account(username: str) -> tuple[Any, bool]:
    """The account of this name, and whether it was made now; nobody can sign in to a new one with a
    password. Of two that begin at once only one makes it. Raises ValidationError with the name of
    the field."""
    users = get_user_model()
    owner = users(username=username)
    owner.set_unusable_password()
    if not users.objects.filter(username=username).exists():
        # An existing account may have a name that is not valid for a new one.
        owner.full_clean(validate_unique=False)
    return users.objects.get_or_create(username=username, defaults={"password": owner.password})


def set_most_keys(limits: OwnerLimits, most: int | None) -> list[str]:
    """What changed, in words."""
    before = limits.max_keys
    if before == most:
        return []
    limits.max_keys = most
    limits.save(update_fields=["max_keys"])
    words = ["none" if count is None else str(count) for count in (before, most)]
    return [f"max-keys: {' → '.join(words)}"]


def deactivate(account: Any, *, by_id: int, told: str, revoked_told: str) -> int:
    """Ends the account's sessions and keys within seconds; how many keys were revoked for good,
    which LEAVER_KEYS decides."""
    with transaction.atomic():
        account.is_active = False
        account.save(update_fields=["is_active"])
        note_change(account, by_id, told)
        if settings.LEAVER_KEYS != "revoke":
            return 0
        return revoke_keys_of(account, revoked_told, by_id)


def revoke_keys_of(user: Any, told: str, by_user_id: int) -> int:
    """How many keys were revoked now; `told` goes into the history of each."""
    revoked = 0
    for key in Key.objects.filter(owner=user, revoked_at=None):
        if key.revoke():
            note_change(key, by_user_id, told)
            revoked += 1
    return revoked


def activate(account: Any, *, by_id: int, told: str) -> None:
    with transaction.atomic():
        account.is_active = True
        account.save(update_fields=["is_active"])
        note_change(account, by_id, told)


def owner_as_json(account: Any) -> dict[str, Any]:
    limits = getattr(account, "key_limits", None)
    membership = getattr(account, "team_membership", None)
    return {
        "id": account.pk,
        "username": account.get_username(),
        "active": account.is_active,
        "operator": account.is_staff,
        "created_at": iso(account.date_joined),
        "team": None if membership is None else membership.team.name,
        "team_id": None if membership is None else membership.team_id,
        "lead": membership is not None and membership.is_lead,
        "max_keys": None if limits is None else limits.max_keys,
        "limits": limits_of(holder_of_owner_as_read(account)),
    }
