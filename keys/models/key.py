"""Keys, their secrets and limits, the request log, its totals. A key's rules stand here too.

Every change of a key takes the next revision number in its own transaction. The number is one
row, so its lock puts all changes in one order, and the order of the numbers is the order of the
commits: whoever has seen revision 7 has missed nothing up to 7 (`key_index.py` relies on it).
"""

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from keys import key_text
from keys.errors import CannotChangeKey

ENDPOINTS: Final = (
    "chat",
    "completions",
    "responses",
    "messages",
    "embeddings",
    "images",
    "image_edits",
    "transcriptions",
    "translations",
    "speech",
    "moderations",
    "rerank",
)
LIMITS: Final = (
    "requests_per_minute",
    "tokens_per_minute",
    "concurrency",
    "daily_budget_nano_usd",
    "monthly_budget_nano_usd",
    "total_budget_nano_usd",
    "daily_neurons_micro",
)
STATIC_KEY_NAME: Final = "PROXY_API_KEY"
# Of captured text, where a key names no days of its own.
USUAL_CAPTURE_DAYS: Final = 30


class Revision(models.Model):
    """One row: the number of changes that keys have seen."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="keys_revision_is_one_row")
        ]

    def __str__(self) -> str:
        return f"revision {self.number}"

    @classmethod
    def current(cls) -> int:
        return cls.objects.filter(pk=1).values_list("number", flat=True).first() or 0

    @classmethod
    def take_next(cls) -> int:
        """Call it first in the transaction of a change: the lock it takes is held to the commit."""
        with transaction.atomic():
            if not cls.objects.filter(pk=1).update(number=F("number") + 1):
                cls.objects.get_or_create(pk=1)
                cls.objects.filter(pk=1).update(number=F("number") + 1)
            return cls.current()


def _list_of_texts(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(x, str) and x.strip() for x in value):
        raise ValidationError("It takes a list of texts, none of them empty.")
    return value


def validate_model_patterns(value: object) -> None:
    _list_of_texts(value)


def validate_endpoints(value: object) -> None:
    unknown = [name for name in _list_of_texts(value) if name not in ENDPOINTS]
    if unknown:
        raise ValidationError(
            f"There is no endpoint {unknown[0]!r}: it takes any of {', '.join(ENDPOINTS)}."
        )


def validate_networks(value: object) -> None:
    for text in _list_of_texts(value):
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise ValidationError(
                f"{text!r} is not a network: it takes addresses such as 10.0.0.0/8 "
                "or 2001:db8::/32, with no bits set after the prefix."
            ) from None


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


def _positive_limit(label: str, help_text: str = "") -> Any:
    return models.BigIntegerField(label, null=True, blank=True, help_text=help_text)


def _limits_above_0(prefix: str) -> list[models.BaseConstraint]:
    return [
        models.CheckConstraint(
            condition=Q(**{f"{limit}__isnull": True}) | Q(**{f"{limit}__gt": 0}),
            name=f"{prefix}_{limit}_above_0",
            violation_error_message="A limit is above 0; empty means no limit.",
        )
        for limit in LIMITS
    ]


class Limited(models.Model):
    """The columns of `limits.Limits`. Budgets are per calendar day and month, UTC."""

    requests_per_minute = _positive_limit("requests per minute")
    tokens_per_minute = _positive_limit("tokens per minute")
    concurrency = _positive_limit("requests at once")
    daily_budget_nano_usd = _positive_limit("budget per day")
    monthly_budget_nano_usd = _positive_limit("budget per month")
    total_budget_nano_usd = _positive_limit("budget in all")
    daily_neurons_micro = _positive_limit("neurons per day")

    class Meta:
        abstract = True


class Key(Limited):
    """Who may call, and how much. What the caller sends is one of its secrets."""

    name = models.CharField(max_length=120)
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
            *_limits_above_0("keys"),
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
        """A new key and its text, which nothing can give back later.

        Raises ValidationError with the name of the field for a value that breaks a rule.
        """
        key = cls(name=name, owner=owner, **fields)
        key.full_clean()
        with transaction.atomic():
            key.save(force_insert=True)
            return key, KeySecret.make_for(key)

    def rotate(self, overlap: timedelta = timedelta(0)) -> str:
        """A new secret's text. Every older one ends after `overlap`, or sooner if it was to."""
        if self.is_static:
            raise CannotChangeKey(
                f"The static key is not rotated here: change {STATIC_KEY_NAME} in the settings."
            )
        with transaction.atomic():
            # The revision's lock makes two rotations at once follow each other.
            self.revision = Revision.take_next()
            if not Key.objects.filter(pk=self.pk, revoked_at=None).exists():
                raise CannotChangeKey("A revoked key cannot be rotated: issue a new one.")
            until = timezone.now() + overlap
            self.secrets.filter(Q(expires_at=None) | Q(expires_at__gt=until)).update(
                expires_at=until
            )
            # Past `KeyQuerySet.update`, which would take another revision.
            models.QuerySet(Key).filter(pk=self.pk).update(revision=self.revision)
            return KeySecret.make_for(self)

    def revoke(self) -> bool:
        """True if this call revoked it, False if it was revoked before. There is no way back."""
        now = timezone.now()
        if not Key.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now):
            return False
        self.revoked_at = now
        return True

    @property
    def kept_capture_days(self) -> int:
        return USUAL_CAPTURE_DAYS if self.capture_days is None else self.capture_days

    @property
    def current_secret(self) -> "KeySecret | None":
        # Reads `secrets.all()`, so that a list which prefetched them asks nothing more.
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
    """What all keys of one owner may use together, beside each key's own limits."""

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
        constraints: ClassVar = _limits_above_0("keys_owner")

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
    """Keys carry their owner's limits in memory, so they count as changed with them."""
    Key.objects.filter(owner_id__in=owner_ids).update()


class KeySecret(models.Model):
    """One text that opens a key, as its hash. A rotated key has two in force for a while."""

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


class RequestLog(models.Model):
    """One admitted request. Written by `ledger.py` only, never changed, pruned by age.

    Key, owner and model are copies without a foreign key: the row outlives all three. A number
    that is not known is null, never 0.
    """

    started_at = models.DateTimeField()
    request_id = models.CharField(max_length=128)
    key_id = models.BigIntegerField(null=True)
    key_name = models.CharField(max_length=120)
    key_prefix = models.CharField(max_length=16)
    owner_id = models.BigIntegerField(null=True)
    owner_name = models.CharField(max_length=150)
    endpoint = models.CharField(max_length=32)
    requested_model = models.CharField(max_length=200)
    model = models.CharField(max_length=200)
    stream = models.BooleanField()
    status = models.SmallIntegerField()
    error_code = models.CharField(max_length=64)
    error_message = models.CharField(max_length=500)
    finish_reason = models.CharField(max_length=32)
    end_reason = models.CharField(max_length=32)
    prompt_tokens = models.BigIntegerField(null=True)
    completion_tokens = models.BigIntegerField(null=True)
    cached_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    images = models.IntegerField(null=True)
    audio_ms = models.BigIntegerField(null=True)
    cost_nano_usd = models.BigIntegerField(null=True)
    neurons_micro = models.BigIntegerField(null=True)
    # "usage" and "header" are upstream's own measure, "price" is worked out. Null: an older row.
    neurons_source = models.CharField(max_length=8, null=True)
    neurons_by_price_micro = models.BigIntegerField(null=True)
    usage_source = models.CharField(max_length=16)
    price = models.TextField(null=True)
    ttft_ms = models.IntegerField(null=True)
    duration_ms = models.BigIntegerField()
    attempts = models.SmallIntegerField()
    client_ip = models.CharField(max_length=45)
    user_agent = models.CharField(max_length=200)
    user = models.CharField(max_length=200)

    class Meta:
        verbose_name = "request"
        verbose_name_plural = "request log"
        indexes: ClassVar = [
            models.Index(fields=["-started_at", "-id"], name="keys_log_newest"),
            models.Index(fields=["key_id", "-started_at", "-id"], name="keys_log_key"),
            models.Index(fields=["owner_id", "-started_at", "-id"], name="keys_log_owner"),
            models.Index(fields=["model", "-started_at", "-id"], name="keys_log_model"),
            models.Index(fields=["endpoint", "-started_at", "-id"], name="keys_log_endpoint"),
            models.Index(fields=["request_id"], name="keys_log_request_id"),
            models.Index(
                fields=["-started_at", "-id"],
                condition=Q(status__gte=400),
                name="keys_log_failed",
            ),
            models.Index(
                fields=["owner_id", "-started_at", "-id"],
                condition=Q(status__gte=400),
                name="keys_log_owner_failed",
            ),
            # Of next to no rows: when Workers AI said that the neurons of the day are used up.
            models.Index(
                fields=["started_at", "id"],
                condition=Q(status__gte=400, error_code="insufficient_quota"),
                name="keys_log_used_up",
            ),
        ]

    def __str__(self) -> str:
        return self.request_id


class CapturedText(models.Model):
    """What one request asked and was answered, for keys with capture. One for a row of the log.

    A client may use a request id twice, so the row is the one with this id, key and moment. Apart
    from the log, so that lists and exports cannot show it and it can go before its row.
    """

    started_at = models.DateTimeField()
    request_id = models.CharField(max_length=128)
    key_id = models.BigIntegerField()
    asked = models.TextField()
    # As many as there were; a text that was cut has fewer.
    asked_characters = models.IntegerField()
    answered = models.TextField()
    answered_characters = models.IntegerField()

    class Meta:
        verbose_name = "captured text"
        verbose_name_plural = "captured texts"
        default_permissions = ("view", "delete")
        indexes: ClassVar = [
            models.Index(fields=["request_id"], name="keys_captured_request_id"),
            models.Index(fields=["key_id", "started_at"], name="keys_captured_key"),
        ]

    def __str__(self) -> str:
        return f"text of {self.request_id}"

    @classmethod
    def of(cls, row: RequestLog) -> "CapturedText | None":
        found = cls.objects.filter(request_id=row.request_id, started_at=row.started_at)
        return found.filter(key_id=row.key_id or 0).first()


# Upper bounds, each twice the one before; the last bucket of a histogram has none.
LATENCY_BOUNDS_MS: Final = tuple(50 * 2**step for step in range(12))
TTFT_COUNTS: Final = tuple(f"ttft_count_{n}" for n in range(len(LATENCY_BOUNDS_MS) + 1))
DURATION_COUNTS: Final = tuple(f"duration_count_{n}" for n in range(len(LATENCY_BOUNDS_MS) + 1))


class Totals(models.Model):
    """Sums of requests of one key, owner, model and endpoint. Key, owner and model are copies as in
    the log; 0 and "" stand for none, since null is equal to nothing."""

    day = models.DateField()
    key_id = models.BigIntegerField(default=0)
    key_name = models.CharField(max_length=120)
    owner_id = models.BigIntegerField(default=0)
    owner_name = models.CharField(max_length=150)
    model = models.CharField(max_length=200)
    endpoint = models.CharField(max_length=32)

    requests = models.BigIntegerField(default=0)
    # Status 400 and above, but for clients that left.
    errors = models.BigIntegerField(default=0)
    client_gone = models.BigIntegerField(default=0)
    # Cost is not known, which is not 0.
    unpriced = models.BigIntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    images = models.BigIntegerField(default=0)
    audio_ms = models.BigIntegerField(default=0)
    cost_nano_usd = models.BigIntegerField(default=0)
    neurons_micro = models.BigIntegerField(default=0)
    # What the histograms below count, added up.
    ttft_ms = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)

    # Refused by a limit. These requests have no row.
    refused_requests = models.BigIntegerField(default=0)
    refused_tokens = models.BigIntegerField(default=0)
    refused_concurrency = models.BigIntegerField(default=0)
    refused_usd = models.BigIntegerField(default=0)
    refused_neurons = models.BigIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.day} {self.key_name} {self.model}"


# Histograms of the time to the first byte and in all, for percentiles.
for _name in (*TTFT_COUNTS, *DURATION_COUNTS):
    Totals.add_to_class(_name, models.BigIntegerField(default=0))


class DayTotal(Totals):
    """Of one UTC day: a request belongs to the day it began on.

    They move in the transaction of the rows that they sum, so they are never behind, and outlive
    them.
    """

    class Meta:
        verbose_name = "day's total"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["day", "key_id", "owner_id", "model", "endpoint"], name="keys_one_daytotal"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["key_id", "day"], name="keys_daytotal_key"),
            models.Index(fields=["owner_id", "day"], name="keys_daytotal_owner"),
            models.Index(fields=["model", "day"], name="keys_daytotal_model"),
        ]


class MonthTotal(Totals):
    """Of a whole month that is over, under its first day: the sums of its days' totals, made and
    taken away by `month_totals.py`. A month is all here or not at all."""

    class Meta:
        verbose_name = "month's total"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["day", "key_id", "owner_id", "model", "endpoint"],
                name="keys_one_monthtotal",
            )
        ]


class Reservation(models.Model):
    """What a running request may cost at most, until its row says what it did cost.

    Counts against budgets while its lease runs; the worker that lives extends it. No more indexes
    than requests need: there are as many rows as requests that run.
    """

    id = models.UUIDField(primary_key=True)
    writer = models.UUIDField()
    key_id = models.BigIntegerField()
    owner_id = models.BigIntegerField(null=True)
    day = models.DateField()
    cost_nano_usd = models.BigIntegerField()
    neurons_micro = models.BigIntegerField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["key_id", "day"], name="keys_reservation_key"),
            models.Index(fields=["owner_id", "day"], name="keys_reservation_owner"),
        ]

    def __str__(self) -> str:
        return f"reservation {self.id}"


class EndedSession(models.Model):
    """A session that somebody signed out of, for as long as its playground tokens would live."""

    mark = models.CharField(max_length=22, primary_key=True)
    ended_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"session ended {self.ended_at}"


class PruneMark(models.Model):
    """One row: log rows from before this moment may have been deleted, so totals stand alone."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    pruned_before = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="keys_prune_mark_is_one_row")
        ]

    def __str__(self) -> str:
        return f"pruned before {self.pruned_before}"

    @classmethod
    def current(cls) -> datetime | None:
        return cls.objects.filter(pk=1).values_list("pruned_before", flat=True).first()

    @classmethod
    def move_to(cls, moment: datetime) -> None:
        """Before the first row is deleted. It never goes back."""
        cls.objects.get_or_create(pk=1, defaults={"pruned_before": moment})
        cls.objects.filter(pk=1, pruned_before__lt=moment).update(pruned_before=moment)


class LedgerMark(models.Model):
    """The last group of rows that each ledger writer has committed.

    It moves in the transaction of the group, so a writer that lost its connection at the commit
    can read whether the group is in. One row for each writer that ever ran, pruned by age.
    """

    writer = models.UUIDField(primary_key=True)
    group_number = models.BigIntegerField()
    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.writer} wrote group {self.group_number}"
