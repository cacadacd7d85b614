"""The limits of an owner over all their keys."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.db import models, transaction

from keys.models.key import Key
from keys.models.limited import Limited, limits_above_0


class OwnerLimitsQuerySet(models.QuerySet["OwnerLimits"]):
    def update(self, **kwargs: Any) -> int:
        with transaction.atomic():
            _renew_keys_of(list(self.values_list("owner_id", flat=True)))
            return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            _renew_keys_of(list(self.values_list("owner_id", flat=True)))
            return super().delete()


class OwnerLimits(Limited):
    """What all keys of one owner may use together, in addition to each key's own limits."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="key_limits",
    )
    max_keys = models.PositiveIntegerField(
        "keys of their own making",
        null=True,
        blank=True,
        help_text="How many keys in force the owner may have and still make another. "
        "Empty: MEMBER_MAX_KEYS of the settings. 0: none.",
    )

    objects = OwnerLimitsQuerySet.as_manager()

    class Meta:
        verbose_name = "owner's limits"
        verbose_name_plural = "owners' limits"
        constraints: ClassVar = limits_above_0("keys_owner")

    def __str__(self) -> str:
        return f"limits of {self.owner}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            _renew_keys_of([self.owner_id])
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            _renew_keys_of([self.owner_id])
            return super().delete(*args, **kwargs)


def _renew_keys_of(owner_ids: Iterable[int]) -> None:
    """Workers keep an owner's limits with each key in memory, so the keys must be read again."""
    Key.objects.filter(owner_id__in=owner_ids).update()
