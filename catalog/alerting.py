"""What operators are told about models and the catalog without asking."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.urls import reverse

from alerts.findings import CRITICAL, WARNING, Finding, Holder
from catalog.models import Alias, CatalogModel, RefreshRun
from catalog.successors import successor_of

SOON: Final = timedelta(days=14)
# A refresh that runs once a day is a little late at times.
A_DAY: Final = timedelta(hours=24)
LATE: Final = timedelta(hours=26)


def retirements(in_use: Collection[str], now: datetime) -> Iterator[Finding]:
    """Of models that requests ran on lately, that aliases stand for, or that are set as usual."""
    aliased = set(Alias.objects.values_list("target__name", flat=True))
    names = {*in_use, *aliased, settings.DEFAULT_IMAGE_MODEL}
    models = list(CatalogModel.objects.all())
    soon = now.astimezone(UTC).date() + SOON
    for model in models:
        if model.name not in names:
            continue
        going = model.planned_deprecation_date
        if model.retired_at is not None:
            text = f"The model {model.name} is in use and Cloudflare lists it no more."
            yield _about(model, "model_gone", f"{model.retired_at:%Y-%m-%d}", CRITICAL, text)
        elif going is not None and going <= soon:
            text = f"The model {model.name} is in use and will be retired on {going}."
            successor = successor_of(model, models)
            if successor is not None:
                text += f" {successor.name} is like it."
            yield _about(model, "model_retires", f"{going}", WARNING, text)


def _about(model: CatalogModel, event: str, when: str, severity: str, text: str) -> Finding:
    return Finding(
        event=event,
        series=f"{event}:{model.pk}:{when}",
        severity=severity,
        text=text,
        holder=Holder("model", model.name, model.pk),
        figures={"date": when},
        admin_path=reverse("admin:catalog_catalogmodel_change", args=[model.pk]),
    )


def old(now: datetime) -> Iterator[Finding]:
    """One alert for each time that refreshes cease to succeed, however long that lasts."""
    good = RefreshRun.objects.filter(ok=True).first()
    since = good or RefreshRun.objects.order_by("started_at", "id").first()
    if since is None or now - since.started_at <= A_DAY:
        return
    tried = RefreshRun.objects.exclude(pk=since.pk).filter(started_at__gt=since.started_at)
    failed = tried.filter(ok=False).first() or (since if since.ok is False else None)
    if failed is None and now - since.started_at <= LATE:
        return
    text = f"The catalog was last refreshed on {since.started_at:%Y-%m-%d at %H:%M} UTC."
    if good is None:
        text = "The catalog was never refreshed."
    why = f" The last try failed: {failed.error}" if failed else " Nobody has tried since."
    yield Finding(
        event="catalog_old",
        series=f"catalog_old:{since.started_at:%Y-%m-%dT%H:%M:%S}",
        text=text + why,
        holder=Holder("gateway", "the catalog"),
        figures={"since": since.started_at.isoformat(timespec="seconds")},
        admin_path=reverse("admin:catalog_refreshrun_changelist"),
    )
