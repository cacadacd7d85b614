"""Teams, and who is in them: a user is in at most one."""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from keys.models.key import Key
from keys.models.revision import Revision
from storage.names import validate_name

# As the log has room for.
NAME_LENGTH: Final = 120


class TeamQuerySet(models.QuerySet["Team"]):
    def update(self, **kwargs: Any) -> int:
        with transaction.atomic():
            _renew_keys_of_teams(list(self.values_list("pk", flat=True)))
            return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            _renew_keys_of_teams(list(self.values_list("pk", flat=True)))
            return super().delete()


class Team(models.Model):
    """Users whose keys have limits together. What its members used stays with it in log and totals
    when they leave, and when it is deleted."""

    name = models.CharField(
        max_length=NAME_LENGTH,
        unique=True,
        validators=[validate_name],
        error_messages={"unique": "There is a team of this name."},
    )
    notes = models.TextField(blank=True)
    # Of all keys of its members, beside each key's own.
    uses_reserve = models.BooleanField(
        "may use the reserved neurons",
        default=False,
        db_default=False,
        help_text="The last free neurons of a day, which RESERVED_NEURONS keeps from all other "
        "keys, are for all keys of its members too.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TeamQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            _renew_keys_of_teams([self.pk])
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            _renew_keys_of_teams([self.pk])
            return super().delete(*args, **kwargs)


class MembershipQuerySet(models.QuerySet["Membership"]):
    def update(self, **kwargs: Any) -> int:
        with transaction.atomic():
            _renew_keys_of(list(self.values_list("user_id", flat=True)))
            return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            _renew_keys_of(list(self.values_list("user_id", flat=True)))
            return super().delete()


class Membership(models.Model):
    """A user in a team. Whoever leaves takes their keys along."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="team_membership",
        error_messages={
            "unique": "This account is in another team already: take it out of that one first."
        },
    )
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    is_lead = models.BooleanField(
        "lead", default=False, help_text="Sees and limits the keys of the team's members."
    )
    # By a group of the sign-on provider, which also takes it away.
    by_sign_on = models.BooleanField(default=False, editable=False)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = "member"

    def __str__(self) -> str:
        return str(self.user)

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            _renew_keys_of([self.user_id])
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            _renew_keys_of([self.user_id])
            return super().delete(*args, **kwargs)


def _renew_keys_of_teams(team_ids: Iterable[int]) -> None:
    """Workers keep the team with each key in memory, so the keys must be read again."""
    # First: who joins meanwhile waits for the lock, and their keys are read again after that.
    Revision.take_next()
    Key.objects.filter(owner__team_membership__team_id__in=team_ids).update()


def _renew_keys_of(user_ids: Iterable[int]) -> None:
    Key.objects.filter(owner_id__in=user_ids).update()
