"""System checks over settings and stored catalog together: `manage.py check --database default`."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections

from alerts.models import Alert
from catalog.models import Alias, CatalogModel


@register(Tags.database)
def check_stored_catalog(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    if "default" not in (databases or ()):
        return []
    # Database checks also run before the first migration.
    tables = connections["default"].introspection.table_names()
    if CatalogModel._meta.db_table not in tables or Alias._meta.db_table not in tables:
        return []
    refused = _refused_accounts() if Alert._meta.db_table in tables else []
    return [*_hidden_aliases(), *_default_image_model(), *refused]


def _refused_accounts() -> list[CheckMessage]:
    """Of several accounts; of a single one every request tells."""
    if not settings.CLOUDFLARE_ACCOUNTS:
        return []
    alerts = Alert.objects.filter(event="access_refused", resolved_at=None)
    names = {alert.figures.get("account") for alert in alerts}
    return [
        Warning(
            f"Cloudflare refuses the gateway's access to the account {name}.",
            hint="Look at its id and token in the settings, and at what the token may do.",
            id="catalog.W003",
        )
        for name in settings.CLOUDFLARE_ACCOUNT_NAMES
        if name in names
    ]


def _hidden_aliases() -> list[CheckMessage]:
    staying = CatalogModel.objects.filter(retired_at=None, planned_deprecation_date=None)
    hidden = Alias.objects.filter(alias__in=staying.values("name"))
    return [
        Warning(
            f"The alias {alias} has the name of a model, so it no longer works.",
            hint=f"manage.py alias_model --remove {alias}",
            id="catalog.W001",
        )
        for alias in hidden.values_list("alias", flat=True)
    ]


def _default_image_model() -> list[CheckMessage]:
    name = settings.DEFAULT_IMAGE_MODEL
    if not name or not CatalogModel.objects.exists():
        return []
    alias = Alias.objects.filter(alias=name).select_related("target").first()
    model = CatalogModel.objects.filter(name=name).first() or (alias and alias.target)
    if model and model.enabled and model.retired_at is None:
        if "images" in model.classified.endpoints:
            return []
        why = "does not make pictures from a prompt alone"
    else:
        why = "is not a model that can be used"
    return [
        Warning(
            f"DEFAULT_IMAGE_MODEL is {name!r}, which {why}.",
            hint="The models that do are listed by GET /v1/models?protocol=openai-images.",
            id="catalog.W002",
        )
    ]
