"""Limits of the one form, and raises of them that end by themselves.

Keys and owners also have columns for the usual limits (`limited.py`). `keys/held_limits.py` has the
form in memory that both are read into.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Final, TypeVar, cast

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from keys.held_limits import (
    HOLDER_KINDS,
    WHATS,
    WINDOWS_OF,
    HeldLimit,
    Raised,
    Subject,
    What,
    WindowName,
)
from keys.limit_texts import kind_text, subject_text
from keys.models.key import Key
from keys.models.owner_limits import OwnerLimits
from keys.models.restrictions import validate_model_patterns
from keys.models.revision import Revision
from keys.scopes import HolderKind

MOST_PATTERNS: Final = 20
LONGEST_PATTERN: Final = 200
# A sum of two still fits into 64 bits.
HIGHEST_AMOUNT: Final = 2**62
_WINDOWS: Final = ("minute", "day", "week", "month", "total")

ModelT = TypeVar("ModelT", bound="AboutLimit")


def normal_patterns(patterns: Iterable[str]) -> list[str]:
    """Patterns of models in the one order in which they are stored, each once."""
    return sorted({pattern.strip() for pattern in patterns})


def keys_held_by(kind: str, holder_id: int) -> models.QuerySet[Key]:
    """The keys to which a holder's limits apply."""
    if kind in ("key", "user"):
        return Key.objects.filter(pk=holder_id)
    if kind == "owner":
        return Key.objects.filter(owner_id=holder_id)
    if kind == "team":
        return Key.objects.filter(owner__team_membership__team_id=holder_id)
    return Key.objects.all()


def renew_keys(holders: Iterable[tuple[str, int]]) -> None:
    """Workers keep limits with each key in memory, so the keys must be read again."""
    # First: who joins a team meanwhile waits for the lock, and their keys are read after that.
    Revision.take_next()
    for kind, holder_id in sorted(set(holders)):
        keys_held_by(kind, holder_id).update()


class AboutLimitQuerySet(models.QuerySet[ModelT]):
    """Each change takes the next revision of the keys that it concerns, in its own transaction."""

    def update(self, **kwargs: Any) -> int:
        with transaction.atomic():
            renew_keys(self._holders())
            return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            renew_keys(self._holders())
            return super().delete()

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        made = list(objs)
        with transaction.atomic():
            renew_keys((each.holder_kind, each.holder_id) for each in made)
            return super().bulk_create(made, *args, **kwargs)

    def _holders(self) -> list[tuple[str, int]]:
        return list(self.order_by().values_list("holder_kind", "holder_id").distinct())


class AboutLimit(models.Model):
    """The columns of `keys.held_limits.Subject`: whose limit, of what, in which window, on which
    models."""

    holder_kind = models.CharField(
        "holder", max_length=16, choices=[(kind, kind) for kind in HOLDER_KINDS]
    )
    # Of a key, an account or a team; 0 for everybody. For "user", the key that the users are of.
    holder_id = models.BigIntegerField(default=0)
    what = models.CharField(max_length=16, choices=[(what, what) for what in WHATS])
    window = models.CharField(
        max_length=8, blank=True, default="", choices=[(name, name) for name in _WINDOWS]
    )
    model_patterns = models.JSONField("models", default=list, blank=True)

    objects = AboutLimitQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def subject(self) -> Subject:
        kind, what = cast(HolderKind, self.holder_kind), cast(What, self.what)
        window = cast(WindowName, self.window)
        return Subject(kind, self.holder_id, what, window, tuple(self.model_patterns))

    def clean(self) -> None:
        super().clean()
        if (self.holder_kind == "everybody") != (self.holder_id == 0):
            raise ValidationError(
                {"holder_kind": "Everybody has no id; a key, an owner and a team have one."}
            )
        windows = WINDOWS_OF.get(cast(What, self.what))
        if windows is not None and self.window not in windows:
            raise ValidationError({"window": _wrong_window(self.what, windows)})
        try:
            validate_model_patterns(self.model_patterns)
        except ValidationError as error:
            raise ValidationError({"model_patterns": error.messages}) from None
        self.model_patterns = normal_patterns(self.model_patterns)
        if len(self.model_patterns) > MOST_PATTERNS:
            raise ValidationError(
                {"model_patterns": f"It takes at most {MOST_PATTERNS} patterns of models."}
            )
        if any(len(pattern) > LONGEST_PATTERN for pattern in self.model_patterns):
            raise ValidationError(
                {"model_patterns": f"A pattern has at most {LONGEST_PATTERN} characters."}
            )

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.model_patterns = normal_patterns(self.model_patterns)
        with transaction.atomic():
            renew_keys([(self.holder_kind, self.holder_id)])
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            renew_keys([(self.holder_kind, self.holder_id)])
            return super().delete(*args, **kwargs)


def _wrong_window(what: str, windows: tuple[WindowName, ...]) -> str:
    if what == "concurrency":
        return "Requests at once have no window: leave it empty."
    return f"{what!r} are counted per {', '.join(windows[:-1])} or in all (total)."


class Limit(AboutLimit):
    """A limit: at most `amount` (requests, tokens, nano-USD, millionths of neurons) of what it
    counts. 0 allows nothing."""

    amount = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["holder_kind", "holder_id", "what", "window", "model_patterns"],
                name="keys_limit_once",
                violation_error_message="There is such a limit already: change its amount.",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0),
                name="keys_limit_amount_not_below_0",
                violation_error_message="A limit is 0 or more; without one there is no limit.",
            ),
            models.CheckConstraint(
                condition=Q(holder_kind="everybody", holder_id=0)
                | (~Q(holder_kind="everybody") & Q(holder_id__gt=0)),
                name="keys_limit_has_a_holder",
            ),
            models.CheckConstraint(
                condition=Q(what="concurrency", window="")
                | (~Q(what="concurrency") & ~Q(window="")),
                name="keys_limit_window",
            ),
        ]

    def __str__(self) -> str:
        return subject_text(self.subject)

    def clean(self) -> None:
        super().clean()
        if self.amount is not None and self.amount > HIGHEST_AMOUNT:
            raise ValidationError({"amount": "This is more than anybody can use."})
        subject = self.subject
        if subject.simple_field is not None:
            label = getattr(Key._meta.get_field(subject.simple_field), "verbose_name", "")
            raise ValidationError(
                f"A limit on all models of {kind_text(subject.what, subject.window)} is set in "
                f"the field “{label}” of the {self.holder_kind} itself."
            )

    def held(self) -> HeldLimit:
        return HeldLimit(self.subject, self.amount)


class Raise(AboutLimit):
    """A raise of a limit until a moment: to `amount`, or by `plus`. It stays as history."""

    amount = models.BigIntegerField(null=True, blank=True)
    plus = models.BigIntegerField(null=True, blank=True)
    until = models.DateTimeField()
    why = models.CharField(max_length=500)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    made_by_name = models.CharField(max_length=150, blank=True)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    # Where somebody ended it before `until`.
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(amount__isnull=False, amount__gte=0, plus=None)
                | Q(amount=None, plus__isnull=False, plus__gt=0),
                name="keys_raise_to_or_by",
                violation_error_message="A raise is to an amount or by an amount above 0.",
            ),
            models.CheckConstraint(
                condition=Q(until__gt=F("made_at")),
                name="keys_raise_ends_later",
                violation_error_message="A raise ends in the future.",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["until"], name="keys_raise_until"),
            models.Index(fields=["holder_kind", "holder_id"], name="keys_raise_holder"),
        ]

    def clean(self) -> None:
        super().clean()
        usual = usual_amount(self.subject)
        if usual is None:
            raise ValidationError(f"There is no {subject_text(self.subject)} to raise.")
        if self.amount is not None and self.amount <= usual:
            raise ValidationError({"amount": "A raise is to more than the limit without it."})
        if usual + (self.plus or 0) > HIGHEST_AMOUNT or (self.amount or 0) > HIGHEST_AMOUNT:
            raise ValidationError("This is more than anybody can use.")

    def __str__(self) -> str:
        return f"raise of the {subject_text(self.subject)} until {self.until:%Y-%m-%d %H:%M}"

    @classmethod
    def in_force(cls, now: datetime | None = None) -> "models.QuerySet[Raise]":
        return cls.objects.filter(until__gt=now or timezone.now(), ended_at=None)

    def end(self, now: datetime | None = None) -> bool:
        """End it early. False where it had ended before."""
        moment = now or timezone.now()
        found = Raise.in_force(moment).filter(pk=self.pk)
        if not found.update(ended_at=moment):
            return False
        self.ended_at = moment
        return True

    def raised(self) -> Raised:
        return Raised(self.subject, self.until.timestamp(), self.amount, self.plus)


def usual_amount(subject: Subject) -> int | None:
    """The amount of a limit without raises, be it in a column or in a row; None where there is no
    such limit."""
    field = subject.simple_field
    if field is None:
        rows = Limit.objects.filter(
            holder_kind=subject.holder_kind,
            holder_id=subject.holder_id,
            what=subject.what,
            window=subject.window,
            model_patterns=list(subject.models),
        )
        return rows.values_list("amount", flat=True).first()
    holders: models.QuerySet[Any] = Key.objects.filter(pk=subject.holder_id)
    if subject.holder_kind == "owner":
        holders = OwnerLimits.objects.filter(pk=subject.holder_id)
    return holders.values_list(field, flat=True).first()
