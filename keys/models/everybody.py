"""Everybody: whose limits hold for all keys together."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Everybody(models.Model):
    """One row, in whose history the changes of everybody's limits are noted."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)

    class Meta:
        verbose_name = "everybody's limits"
        verbose_name_plural = "everybody's limits"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="keys_everybody_is_one_row")
        ]

    def __str__(self) -> str:
        return "everybody"

    @classmethod
    def row(cls) -> "Everybody":
        return cls.objects.get_or_create(pk=1)[0]
