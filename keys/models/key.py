"""A key and its secrets, with the rules of issuing, rotating and revoking."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from keys import key_text
from keys.errors import CannotChangeKey
from keys.models.limited import Limited, limits_above_0
from keys.models.restrictions import (
    validate_endpoints,
    validate_model_patterns,
    validate_networks,
)
from keys.models.revision import Revision
from storage.names import validate_name

STATIC_KEY_NAME: Final = "PROXY_API_KEY"
# How long captured text is kept where the key does not say.
USUAL_CAPTURE_DAYS: Final = 30


class KeyQuerySet(models.QuerySet["Key"]):
    def update(self, **kwargs: Any) -> int:
        with transaction.atomic():
            return super().update(**{**kwargs, "revision": Revision.take_next()})

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        keys = list(objs)
        with transaction.atomic():
            number = Revision.take_next()
            for key in keys:
                key.revision = number
            return super().bulk_create(keys, *args, **kwargs)


class Key(Limited):
    """Who may call, and how much. A caller sends one of the key's secrets."""

    name = models.CharField(max_length=120, validators=[validate_name])
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="api_keys",
    )
    notes = models.TextField(blank=True)
    is_static = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    allowed_models = models.JSONField(
        default=list, blank=True, validators=[validate_model_patterns]
    )
    allowed_endpoints = models.JSONField(default=list, blank=True, validators=[validate_endpoints])
    allowed_networks = models.JSONField(default=list, blank=True, validators=[validate_networks])

    capture_text = models.BooleanField(default=False)
    # Whether it may use the neurons of the day that RESERVED_NEURONS keeps.
    uses_reserve = models.BooleanField(default=False, db_default=False)
    queue_weight = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    capture_days = models.PositiveIntegerField(null=True, blank=True)

    revision = models.BigIntegerField(default=0, editable=False, db_index=True)

    objects = KeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["is_static"], condition=Q(is_static=True), name="keys_one_static_key"
            ),
            *limits_above_0("keys"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            self.revision = Revision.take_next()
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "revision"}
            super().save(*args, **kwargs)

    @classmethod
    def issue(cls, *, name: str, owner: Any, **fields: Any) -> tuple["Key", str]:
        """Make a key. Returns it with its text, which is not stored and cannot be shown again.

        Raises ValidationError with the name of the field for a value that breaks a rule.
        """
        key = cls(name=name, owner=owner, **fields)
        key.full_clean()
        with transaction.atomic():
            key.save(force_insert=True)
            return key, KeySecret.make_for(key)

    def rotate(self, overlap: timedelta = timedelta(0)) -> str:
        """Make a new secret and return its text. Older secrets expire after `overlap`, or sooner
        where they already had an earlier end.

        Raises `CannotChangeKey`, which says what to do instead, where the key cannot be rotated.
        """
        with transaction.atomic():
            # The lock on the revision serialises concurrent rotations.
            self.revision = Revision.take_next()
            now = timezone.now()
            current = Key.objects.select_related("owner").filter(pk=self.pk).first()
            if current is None:
                raise CannotChangeKey("This key is deleted: issue a new one.")
            problem = current.why_not_rotated(now)
            if problem is not None:
                raise CannotChangeKey(problem)
            until = now + overlap
            self.secrets.filter(Q(expires_at=None) | Q(expires_at__gt=until)).update(
                expires_at=until
            )
            # Not `KeyQuerySet.update`, which would take another revision.
            models.QuerySet(Key).filter(pk=self.pk).update(revision=self.revision)
            return KeySecret.make_for(self)

    def revoke(self) -> bool:
        """True if this call revoked it, False if it was revoked before. It cannot be undone."""
        now = timezone.now()
        if not Key.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now):
            return False
        self.revoked_at = now
        return True

    def why_not_rotated(self, now: datetime | None = None) -> str | None:
        """Why the key cannot be rotated, and what to do instead; None where it can."""
        if self.is_static:
            return f"The static key is not rotated here: change {STATIC_KEY_NAME} in the settings."
        state = self.state(now)
        if state == "revoked":
            return "A revoked key cannot be rotated: issue a new one."
        if state == "expired":
            return (
                f"This key expired on {self.expires_at:%Y-%m-%d at %H:%M} UTC, so a new secret "
                "would not work: let it expire later first, or issue a new key."
            )
        if state == "owner inactive":
            return (
                "The account that this key belongs to is not active, so a new secret would not "
                "work: make it active first."
            )
        return None

    @property
    def kept_capture_days(self) -> int:
        return USUAL_CAPTURE_DAYS if self.capture_days is None else self.capture_days

    @property
    def current_secret(self) -> "KeySecret | None":
        # `secrets.all()` uses what a list has prefetched, so it needs no further query.
        return max(self.secrets.all(), key=lambda secret: secret.pk, default=None)

    @property
    def prefix(self) -> str:
        secret = self.current_secret
        return secret.prefix if secret else ""

    @property
    def last_four(self) -> str:
        secret = self.current_secret
        return secret.last_four if secret else ""

    def state(self, now: datetime | None = None) -> str:
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= (now or timezone.now()):
            return "expired"
        if self.owner is not None and not self.owner.is_active:
            return "owner inactive"
        return "active"


class KeySecret(models.Model):
    """One secret of a key, as a hash. After a rotation the old one is valid for the overlap."""

    key = models.ForeignKey(Key, on_delete=models.CASCADE, related_name="secrets")
    sha256 = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=16, db_index=True)
    last_four = models.CharField(max_length=4)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(expires_at__isnull=True),
                name="keys_one_secret_without_end",
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…{self.last_four}"

    @classmethod
    def make_for(cls, key: Key) -> str:
        text = key_text.make_key()
        cls.objects.create(
            key=key,
            sha256=key_text.digest(text).hex(),
            prefix=key_text.display_prefix(text),
            last_four=key_text.last_four(text),
        )
        return text
