"""The cached catalog: models, aliases, what changed when, and every attempt to refresh it.

Every change of what the gateway may run increments one revision number in the same transaction.
Workers read that number every few seconds and reload the catalog when it changed (`snapshot.py`).
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar, Final, TypeVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import IntegrityError, models, transaction
from django.db.models import F, Q
from django.utils import timezone

from catalog.classify.facts import Classification, classification_from_json
from catalog.pricing.prices import Prices, prices_from_json
from storage.names import validate_name

LONGEST_REFRESH: Final = timedelta(minutes=5)
SOURCES = [
    ("catalog", "catalog"),
    ("published", "vendor's price page"),
    ("unpriced", "unpriced"),
]


class CatalogRevision(models.Model):
    """One row. Its lock also serialises writers, so that numbers increase in commit order."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="catalog_revision_is_one_row")
        ]

    def __str__(self) -> str:
        return f"catalog revision {self.number}"


def next_revision() -> int:
    """Increment the number and hold its lock until the surrounding transaction ends."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("call next_revision inside the transaction of the change")
    if not CatalogRevision.objects.filter(pk=1).update(number=F("number") + 1):
        CatalogRevision.objects.get_or_create(pk=1)
        CatalogRevision.objects.filter(pk=1).update(number=F("number") + 1)
    return current_revision()


def current_revision() -> int:
    number = CatalogRevision.objects.filter(pk=1).values_list("number", flat=True).first()
    return number or 0


RevisedModel = TypeVar("RevisedModel", bound="Revised")


class RevisedQuerySet(models.QuerySet[RevisedModel]):
    """Bulk changes increment the revision too; `bulk_update` does so through `update`."""

    def update(self, **values: Any) -> int:
        with transaction.atomic(using=self.db):
            return super().update(**{**values, "revision": next_revision()})

    def bulk_create(self, objs: Iterable[RevisedModel], *args: Any, **kwargs: Any) -> Any:
        objs = list(objs)
        with transaction.atomic(using=self.db):
            revision = next_revision()
            for obj in objs:
                obj.revision = revision
            return super().bulk_create(objs, *args, **kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic(using=self.db):
            next_revision()
            return super().delete()


class Revised(models.Model):
    revision = models.BigIntegerField(default=0, editable=False)

    objects = RevisedQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        with transaction.atomic(using=kwargs.get("using")):
            self.revision = next_revision()
            if update_fields is not None:
                update_fields = {*update_fields, "revision"}
            super().save(update_fields=update_fields, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic(using=kwargs.get("using")):
            next_revision()
            return super().delete(*args, **kwargs)


# Whether the account may use a model, as far as Cloudflare said.
OPEN = ""
TERMS, BY_REQUEST, PAID_PLAN = "terms", "request", "plan"
ACCESS = [
    (OPEN, "open"),
    (TERMS, "terms to accept"),
    (BY_REQUEST, "by request"),
    (PAID_PLAN, "paid plan"),
]


class CatalogModel(Revised):
    """A model as Cloudflare lists it, what the gateway makes of it, and what the operator decided.

    A refresh leaves alone what is the operator's: `enabled`, `operator_prices` and `notes`.
    """

    name = models.CharField(max_length=255, unique=True)
    task = models.CharField(max_length=100, blank=True)
    author = models.CharField(max_length=255, blank=True)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(null=True, blank=True, help_text="as Cloudflare tells it")
    entry = models.JSONField(default=dict, help_text="the entry as Cloudflare sent it")
    classification = models.JSONField(default=dict)
    prices = models.JSONField(default=dict)
    price_source = models.CharField(max_length=10, choices=SOURCES, default="unpriced")
    context_window = models.PositiveBigIntegerField(null=True, blank=True)
    planned_deprecation_date = models.DateField(null=True, blank=True)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)

    enabled = models.BooleanField(
        default=True, help_text="Off: neither listed nor run. A refresh does not change it."
    )
    operator_prices = models.JSONField(
        null=True, blank=True, help_text="Beats every other price. A refresh does not change it."
    )
    notes = models.TextField(blank=True)
    # What a refusal taught. With defaults in the database: an older release knows neither column.
    access = models.CharField(
        max_length=10, choices=ACCESS, blank=True, default=OPEN, db_default=OPEN, editable=False
    )
    access_words = models.CharField(
        max_length=300, blank=True, default="", db_default="", editable=False
    )

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name = "model"
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(name=""), name="catalog_model_has_a_name"),
            models.CheckConstraint(
                condition=Q(price_source__in=[source for source, _ in SOURCES]),
                name="catalog_model_price_source_is_known",
            ),
            models.CheckConstraint(
                condition=Q(context_window__isnull=True) | Q(context_window__gt=0),
                name="catalog_model_context_window_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def goes(self) -> bool:
        """Whether Cloudflare no longer lists it, or said when it will not."""
        return self.retired_at is not None or self.planned_deprecation_date is not None

    @property
    def effective_prices(self) -> Prices:
        own = self.operator_prices
        return prices_from_json(self.prices if own is None else own)

    @property
    def effective_price_source(self) -> str:
        return self.price_source if self.operator_prices is None else "operator"

    @property
    def classified(self) -> Classification:
        return classification_from_json(self.classification)


class Alias(Revised):
    """A second name for a model, such as `gpt-4o`. Exact, and in no case a model's own name."""

    alias = models.CharField(
        max_length=255,
        unique=True,
        validators=[
            RegexValidator(
                r"^[^\s\x00-\x20\x7f?#%]+\Z",
                # A validator's message is a template: two make one.
                "An alias is one word without spaces and without any of ? # %%.",
            ),
            validate_name,
        ],
    )
    target = models.ForeignKey(CatalogModel, on_delete=models.CASCADE, related_name="aliases")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["alias"]
        verbose_name_plural = "aliases"
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(alias=""), name="catalog_alias_is_not_empty")
        ]

    def __str__(self) -> str:
        return self.alias

    def clean(self) -> None:
        named = CatalogModel.objects.filter(name=self.alias).first()
        # The name of a model that goes may lead on to another: it does so once the model is gone.
        if named is not None and not named.goes:
            raise ValidationError({"alias": f"{self.alias} is the name of a model."})
        target = CatalogModel.objects.filter(pk=self.target_id).first()
        if target is not None and target.retired_at is not None:
            raise ValidationError(f"{target.name} is retired: Cloudflare no longer lists it.")

    def set_fallbacks(self, targets: Iterable[CatalogModel]) -> None:
        """These models, in this order, instead of all fallbacks so far.

        Raises ValidationError, and then changes nothing.
        """
        with transaction.atomic():
            self.fallbacks.all().delete()
            for position, target in enumerate(targets, start=1):
                fallback = Fallback(alias=self, target=target, position=position)
                fallback.full_clean()
                fallback.save()


MOST_FALLBACKS: Final = 8


class Fallback(Revised):
    """A model that answers for an alias when those before it cannot. Lower positions come first."""

    alias = models.ForeignKey(Alias, on_delete=models.CASCADE, related_name="fallbacks")
    target = models.ForeignKey(
        CatalogModel, on_delete=models.CASCADE, related_name="fallback_for", verbose_name="model"
    )
    position = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(MOST_FALLBACKS)]
    )

    class Meta:
        ordering: ClassVar = ["position", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["alias", "target"],
                name="catalog_one_fallback_to_a_model",
                violation_error_message="A model can be a fallback of an alias once.",
            )
        ]

    def __str__(self) -> str:
        return self.target.name

    def clean(self) -> None:
        target = CatalogModel.objects.filter(pk=self.target_id).first()
        if target is None:
            return
        if target.retired_at is not None:
            raise ValidationError(f"{target.name} is retired: Cloudflare no longer lists it.")
        # In a form the alias may not be stored yet.
        alias: Alias | None = getattr(self, "alias", None)
        if alias is not None and alias.target_id == self.target_id:
            raise ValidationError(f"{target.name} is the first model of {alias.alias} already.")


class RefreshRun(models.Model):
    """One attempt to refresh the catalog, the failed ones included."""

    started_at = models.DateTimeField(default=timezone.now, db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    ok = models.BooleanField(null=True, help_text="empty while it runs, or when it was killed")
    trigger = models.CharField(max_length=20)
    forced = models.BooleanField(default=False)
    summary = models.TextField(blank=True)
    warnings = models.JSONField(default=list)
    error = models.TextField(blank=True)
    # How far it is, while it runs.
    models_listed = models.PositiveIntegerField(null=True, editable=False)
    schemas_wanted = models.PositiveIntegerField(null=True, editable=False)
    schemas_read = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering: ClassVar = ["-started_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["trigger"],
                condition=Q(finished_at__isnull=True, trigger="admin"),
                name="catalog_one_refresh_from_the_admin",
            )
        ]

    @classmethod
    def running(cls) -> "RefreshRun | None":
        # A run that was killed has no time of its end either.
        since = timezone.now() - LONGEST_REFRESH
        return cls.objects.filter(finished_at=None, started_at__gt=since).first()

    @classmethod
    def begin_from_admin(cls) -> "RefreshRun | None":
        """A new run; None when one is running already, whoever began it."""
        since = timezone.now() - LONGEST_REFRESH
        dead = cls.objects.filter(finished_at=None, started_at__lte=since)
        dead.update(finished_at=timezone.now(), ok=False, error="It broke off.")
        if cls.running() is not None:
            return None
        try:
            with transaction.atomic():
                return cls.objects.create(trigger="admin")
        except IntegrityError:
            return None  # another process was first

    def __str__(self) -> str:
        state = {True: "done", False: "failed", None: "unfinished"}[self.ok]
        return f"refresh of {self.started_at:%Y-%m-%d %H:%M} ({state})"


class CatalogChange(models.Model):
    """What a refresh changed about one model. Has the name itself, as the model's row may go."""

    KINDS = (
        ("added", "added"),
        ("changed", "changed"),
        ("price", "price changed"),
        ("retired", "retired"),
        ("returned", "returned"),
    )

    at = models.DateTimeField(default=timezone.now)
    model_name = models.CharField(max_length=255, db_index=True)
    kind = models.CharField(max_length=10, choices=KINDS)
    what = models.JSONField(default=dict, help_text="field → [before, after]")
    text = models.TextField(blank=True)
    run = models.ForeignKey(
        RefreshRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="changes"
    )

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [models.Index(fields=["-at", "-id"], name="catalog_change_newest")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind__in=["added", "changed", "price", "retired", "returned"]),
                name="catalog_change_kind_is_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_name} {self.kind}"
