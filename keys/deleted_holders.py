"""Whoever is deleted or erased takes their limits along, with raises and what was asked for, in the
same transaction. Otherwise rows would go on that no page shows.

By a signal, as Django calls no `delete` of a model for rows that go in a list or with another row,
such as keys with their owner:
https://docs.djangoproject.com/en/5.2/topics/db/models/#overriding-predefined-model-methods
"""

from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db.models.signals import pre_delete

from alerts import store
from keys.models import Key, Limit, OwnerLimits, Raise, RaiseRequest, Revision, Team
from keys.models.raise_request import alert_series
from keys.scopes import HolderKind

# The kinds of holders that a row stands for.
_KINDS: Final[dict[type[Any], tuple[HolderKind, ...]]] = {
    Key: ("key", "user"),
    OwnerLimits: ("owner",),
    get_user_model(): ("owner",),
    Team: ("team",),
}


def take_limits_along(sender: type[Any], instance: Any, **_: Any) -> None:
    # The lock: who changes a limit meanwhile has done so, or finds no holder afterwards.
    Revision.take_next()
    for kind in _KINDS[sender]:
        delete_limits_of(kind, instance.pk)


def delete_limits_of(kind: HolderKind, holder_id: int) -> None:
    """Call it in a transaction that has the lock."""
    held = {"holder_kind": kind, "holder_id": holder_id}
    for rows in (Limit, Raise):
        if rows.objects.filter(**held).exists():
            rows.objects.filter(**held).delete()
    asked = RaiseRequest.objects.filter(**held)
    for asked_id in asked.values_list("pk", flat=True):
        store.resolve(alert_series(asked_id))
    asked.delete()


for _model in _KINDS:
    pre_delete.connect(take_limits_along, sender=_model)
