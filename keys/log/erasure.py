"""Erases a person from stored data. Rows, totals and history are kept under a neutral name. It
cannot be undone.

Call `erase_account` first, which also ends the person's sessions, keys and running streams; then
`erase_texts` and `erase_rows`, which work in batches. A request in flight may still write a row
with the old name. All of it is idempotent and can be repeated for such a row.
"""

from collections.abc import Iterator
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Cast, Concat

from alerts import store
from keys.deleted_holders import delete_limits_of
from keys.ledger.captured_retention import delete_all_of_key
from keys.ledger.persons import erase_persons
from keys.log.walk import Sought, Walk
from keys.models import (
    DayTotal,
    GivenRole,
    Key,
    Membership,
    MonthTotal,
    OwnerLimits,
    Raise,
    RaiseRequest,
    RequestLog,
    Revision,
    Team,
)

# Few enough to hardly delay the ledger, which waits meanwhile on SQLite.
BATCH_ROWS: Final = 500
# Tables of django-allauth, which exist only where single sign-on is or was configured.
_IDENTITIES: Final = ("socialaccount_socialaccount", "account_emailaddress")


def erased_name(user_id: int) -> str:
    return f"erased-{user_id}"


def erase_account(user: Any) -> None:
    """Keeps the account, since rows refer to it, but without name, address, rights or sign-in."""
    with transaction.atomic():
        # The lock: nobody deletes or limits one of the keys meanwhile.
        Revision.take_next()
        keys = list(Key.objects.filter(owner=user))
        _erase_history(user, keys)
        ids = [key.pk for key in keys]
        store.forget(
            {"key": ids, "user": ids, "owner": [user.pk]},
            user.email,
            user.get_username(),
            erased_name(user.pk),
        )
        _erase_raises(user)
        for key in keys:
            key.name, key.notes = f"key {key.pk}", ""
            key.save(update_fields=["name", "notes"])
            key.revoke()
            for kind in ("key", "user"):
                delete_limits_of(kind, key.pk)
        delete_limits_of("owner", user.pk)
        _erase_identities(user)
        Membership.objects.filter(user=user).delete()
        GivenRole.objects.filter(user=user).delete()
        user.groups.clear()
        user.user_permissions.clear()
        for name in ("first_name", "last_name", "email"):
            setattr(user, name, "")
        user.is_active = user.is_staff = user.is_superuser = False
        user.username, user.password = erased_name(user.pk), make_password(None)
        user.save()


def erase_rows(user_id: int) -> Iterator[int]:
    """Removes the person from the request log and its totals: names, IP addresses, user agents,
    `user`, `session` and `agent`. Yields batch sizes."""
    name = erased_name(user_id)
    walk = Walk(Sought(equal={"owner_id": user_id}))
    while not walk.is_over:
        ids = [row.pk for row in walk.step(BATCH_ROWS)]
        rows = RequestLog.objects.filter(pk__in=ids)
        yield rows.update(
            owner_name=name,
            key_name=_NAME_OF_KEY,
            **dict.fromkeys(("user", "session", "agent", "client_ip", "user_agent"), ""),
        )
    for totals in (DayTotal, MonthTotal):
        totals.objects.filter(owner_id=user_id).update(owner_name=name, key_name=_NAME_OF_KEY)
    erase_persons(user_id, name)


def erase_texts(user_id: int) -> Iterator[int]:
    """Deletes the captured text of the account's keys. Yields batch sizes."""
    for key_id in Key.objects.filter(owner_id=user_id).values_list("pk", flat=True):
        yield from delete_all_of_key(key_id)


_NAME_OF_KEY: Final = Concat(Value("key "), Cast("key_id", models.CharField()))


def _erase_history(user: Any, keys: list[Key]) -> None:
    """Keeps who changed what, without names. Earlier names are not known, so every entry about a
    change of a name is emptied as well."""
    name = erased_name(user.pk)
    for model, shown in ((get_user_model(), name), (OwnerLimits, f"limits of {name}")):
        _entries_of(model, user.pk).update(object_repr=shown, change_message="")
    _empty_those_telling([user.get_username()], _entries_of(Team))
    for key in keys:
        telling = [key.name, key.notes, user.get_username(), "Name:", "Owner:", "Notes:"]
        entries = _entries_of(Key, key.pk)
        entries.update(object_repr=f"key {key.pk}")
        _empty_those_telling(telling, entries)


def _erase_raises(user: Any) -> None:
    """What the person asked for goes; raises of others stay, without the name."""
    name, erased = user.get_username(), erased_name(user.pk)
    RaiseRequest.objects.filter(asked_by=user).delete()
    RaiseRequest.objects.filter(decided_by_name=name).update(decided_by_name=erased)
    Raise.objects.filter(made_by=user).update(made_by_name=erased)
    Raise.objects.filter(why__startswith=f"asked for by {name}:").update(why="")


def _empty_those_telling(texts: list[str], entries: "QuerySet[LogEntry]") -> None:
    for entry in entries:
        # Not the stored form, in which other than ASCII letters are escaped.
        message = entry.get_change_message()
        if any(text and text in message for text in texts):
            entry.change_message = ""
            entry.save(update_fields=["change_message"])


def _entries_of(model: Any, pk: int | None = None) -> "QuerySet[LogEntry]":
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(model))
    return entries if pk is None else entries.filter(object_id=str(pk))


def _erase_identities(user: Any) -> None:
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        if "socialaccount_socialtoken" in tables:
            cursor.execute(
                "DELETE FROM socialaccount_socialtoken WHERE account_id IN "
                "(SELECT id FROM socialaccount_socialaccount WHERE user_id = %s)",
                [user.pk],
            )
        for table in tables.intersection(_IDENTITIES):
            cursor.execute(f"DELETE FROM {table} WHERE user_id = %s", [user.pk])
