"""The admin's index: what the operators' dashboard shows, from totals alone.

Each part needs a permission: use and limits are for those who may see the request log, models for
those who may see the catalog, alerts for those who may see alerts. An address with invalid values
gets the defaults.
"""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from proxysite.dashboard.addresses import asked_of
from proxysite.dashboard.state import (
    alerts_context,
    catalog_context,
    ledger_context,
    limits_context,
    neuron_day_context,
    waiting_context,
)
from proxysite.dashboard.use import use_context


def context(request: HttpRequest, shown_so_far: dict[str, Any]) -> dict[str, Any]:
    """For the theme: what the template of the index gets."""
    user: Any = request.user
    now = timezone.now()
    more: dict[str, Any] = {}
    if user.has_perm("keys.view_requestlog"):
        more |= {**use_context(asked_of(request), now), **limits_context(now)}
        more["ledger"] = ledger_context(now)
        more["neuron_day"] = neuron_day_context(now)
        more["waiting"] = waiting_context(now)
    if user.has_perm("alerts.view_alert"):
        more["alerts"] = alerts_context(user)
    if user.has_perm("catalog.view_catalogmodel"):
        more["catalog"] = catalog_context(now)
    return {**shown_so_far, **more, "now": now}
