"""Which accounts are operators only because a group of the sign-on provider says so."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class GivenRole(models.Model):
    """The operator's role of one account, given at a sign-on and taken away at one. An operator
    without this row was made by hand, and stays one whatever the provider says."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="given_role",
    )
    group = models.CharField(max_length=200)
    given_at = models.DateTimeField("given", default=timezone.now)
    # What the account is again without the role.
    was_staff = models.BooleanField(default=False)
    was_superuser = models.BooleanField(default=False)

    class Meta:
        verbose_name = "operator by sign-on"
        verbose_name_plural = "operators by sign-on"

    def __str__(self) -> str:
        return str(self.user)
