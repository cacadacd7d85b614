"""`GET /v1/key`: what the holder of a key may know of it, in OpenRouter's shape. Never the key."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection
from django.http.response import HttpResponseBase

from keys.key_index import KeyRecord
from keys.reports import KeyUsage, key_usage
from openai_api.base import GatewayView, json_response

NANO = Decimal(10**9)
MICRO = Decimal(10**6)


class KeyView(GatewayView):
    async def get(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        usage = await asyncio.to_thread(_read_usage, key.id)
        return json_response(orjson.dumps({"data": key_facts(key, usage)}))


def _read_usage(key_id: int) -> KeyUsage:
    try:
        return key_usage(key_id)
    finally:
        connection.close()


def key_facts(key: KeyRecord, usage: KeyUsage) -> dict[str, Any]:
    """The facts of a key as its holder sees them. Amounts are USD; null means that there is no
    limit.
    """
    limits = key.limits
    total, month, day = usage.total, usage.month, usage.day
    budgets = {
        "daily": (limits.daily_budget_nano_usd, day.cost_nano_usd),
        "monthly": (limits.monthly_budget_nano_usd, month.cost_nano_usd),
        "total": (limits.total_budget_nano_usd, total.cost_nano_usd),
    }
    return {
        "label": key.name,
        "owner": key.owner_name,
        "limit": _usd(limits.total_budget_nano_usd),
        "limit_remaining": _remaining(*budgets["total"]),
        "usage": _usd(total.cost_nano_usd),
        "usage_daily": _usd(day.cost_nano_usd),
        "usage_monthly": _usd(month.cost_nano_usd),
        "budgets": {
            window: {"limit": _usd(limit), "used": _usd(used), "remaining": _remaining(limit, used)}
            for window, (limit, used) in budgets.items()
        },
        "neurons_daily": {
            "limit": _neurons(limits.daily_neurons_micro),
            "used": _neurons(day.neurons_micro),
        },
        "tokens": {"prompt": total.prompt_tokens, "completion": total.completion_tokens},
        "images": total.images,
        "is_free_tier": False,
        "rate_limit": {"requests": limits.requests_per_minute, "interval": "1m"},
        "rate_limits": {
            "requests_per_minute": limits.requests_per_minute,
            "tokens_per_minute": limits.tokens_per_minute,
            "concurrency": limits.concurrency,
        },
        "allowed_models": list(key.model_patterns) if key.model_patterns is not None else None,
        "allowed_endpoints": list(key.endpoints) if key.endpoints is not None else None,
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
    }


def _usd(nano: int | None) -> float | None:
    return None if nano is None else float(Decimal(nano) / NANO)


def _remaining(limit: int | None, used: int) -> float | None:
    return None if limit is None else _usd(max(0, limit - used))


def _neurons(micro: int | None) -> float | None:
    return None if micro is None else float(Decimal(micro) / MICRO)


def _time(epoch_s: float | None) -> str | None:
    return None if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC).isoformat()
