"""A key as JSON, as the commands print it. Its secret only in the answer that issues it."""

from datetime import datetime
from typing import Any

from keys.amounts import neurons_text, usd_text
from keys.models import Key, Limited


def key_as_json(key: Key, text: str | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": key.pk,
        "name": key.name,
        "owner": key.owner.get_username() if key.owner else None,
    }
    if text is not None:
        shown["key"] = text
    return shown | {
        "prefix": key.prefix,
        "last_four": key.last_four,
        "state": key.state(),
        "static": key.is_static,
        "created_at": iso(key.created_at),
        "last_used_at": iso(key.last_used_at),
        "expires_at": iso(key.expires_at),
        "revoked_at": iso(key.revoked_at),
        "limits": limits_as_json(key),
    }


def limits_as_json(key: Key) -> dict[str, Any]:
    """Under the names of issue_key's options. None and [] mean no limit."""
    return {
        **rates_and_budgets(key),
        "models": key.allowed_models,
        "endpoints": key.allowed_endpoints,
        "networks": key.allowed_networks,
    }


def rates_and_budgets(limited: Limited) -> dict[str, Any]:
    neurons = limited.daily_neurons_micro
    return {
        "rpm": limited.requests_per_minute,
        "tpm": limited.tokens_per_minute,
        "concurrency": limited.concurrency,
        "daily_usd": _usd(limited.daily_budget_nano_usd),
        "monthly_usd": _usd(limited.monthly_budget_nano_usd),
        "total_usd": _usd(limited.total_budget_nano_usd),
        "daily_neurons": None if neurons is None else neurons_text(neurons),
    }


def iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _usd(nano_usd: int | None) -> str | None:
    return None if nano_usd is None else usd_text(nano_usd)
