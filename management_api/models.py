"""Service tokens, and the answers that are kept for requests that are sent twice."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from keys import key_text
from keys.models import validate_networks
from management_api.scopes import SCOPES
from storage.names import validate_name

USUAL_REQUESTS_PER_MINUTE = 600


def validate_scopes(value: object) -> None:
    if not isinstance(value, list) or not value:
        raise ValidationError(f"It takes at least one of {', '.join(SCOPES)}.")
    unknown = [name for name in value if name not in SCOPES]
    if unknown:
        raise ValidationError(
            f"There is no scope {unknown[0]!r}: it takes any of {', '.join(SCOPES)}."
        )


class ServiceToken(models.Model):
    """Who may use the management API, and for what. The token's text is not stored."""

    name = models.CharField(
        max_length=120,
        help_text="What the token is for. Changes made with it are in the history under this name.",
        validators=[validate_name],
    )
    # Whose changes the audit log tells: nobody can sign in with it.
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="service_tokens",
        editable=False,
    )
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=24, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    scopes = models.JSONField(default=list, validators=[validate_scopes])
    allowed_networks = models.JSONField(
        "networks", default=list, blank=True, validators=[validate_networks]
    )
    requests_per_minute = models.PositiveIntegerField(
        default=USUAL_REQUESTS_PER_MINUTE,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(requests_per_minute__gt=0), name="management_api_token_rate_above_0"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown(self) -> str:
        """What may be shown of the token later."""
        return f"{self.prefix}…{self.last_four}"

    def state(self, now: datetime | None = None) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= (now or timezone.now()) else "active"

    def take_secret(self) -> str:
        """A new secret's text, of which only a hash is kept here. Does not save."""
        text = key_text.make_key(key_text.SERVICE_PREFIX)
        self.sha256 = key_text.digest(text).hex()
        self.prefix = key_text.display_prefix(text, key_text.SERVICE_PREFIX)
        self.last_four = key_text.last_four(text)
        return text


class KeptAnswer(models.Model):
    """The answer to a POST with an `Idempotency-Key`, without secrets, for a day."""

    token = models.ForeignKey(ServiceToken, on_delete=models.CASCADE, related_name="+")
    # Of the path and the Idempotency-Key.
    asked = models.CharField(max_length=64)
    # Of the body.
    sent = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body: Any = models.JSONField(null=True)
    headers = models.JSONField(default=dict)
    made_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["token", "asked"], name="management_api_one_answer_to_a_key"
            )
        ]

    def __str__(self) -> str:
        return f"answer kept since {self.made_at}"
