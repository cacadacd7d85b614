"""`GET /v1/key`: what the holder of a key may know of it, in OpenRouter's form. Never the key."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from django.http.response import HttpResponseBase

from keys.access.key_record import KeyRecord
from keys.ledger.rows import fit_text
from keys.log.sessions import read_session
from keys.reports.limit_use import LimitUse, read_use
from keys.reports.usage import KeyUsage, LastRequest, Usage, key_usage, last_request, owner_usage
from keys.scopes import Limits
from openai_api.base import GatewayView
from openai_api.from_database import ask_database
from openai_api.key_info.limits import MICRO, NANO, limits_of, told_limit, told_raises
from openai_api.key_info.rates import with_rates
from openai_api.pipeline import LONGEST_USER
from openai_api.wire.http_response import WholeResponse


class KeyView(GatewayView):
    """`?user=` names a person behind the key, to see their use of the limits of each user."""

    async def get(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        user = fit_text(request.GET.get("user", "").strip(), LONGEST_USER)
        use = await ask_database(_read_use, key, user)
        use = replace(use, limits=await with_rates(use.limits, key, user))
        facts = key_facts(key, use)
        named = request.GET.get("session")
        if named is not None:
            facts["session"] = await ask_database(_session, key, named)
        return WholeResponse(orjson.dumps({"data": facts}))


def _session(key: KeyRecord, name: str) -> dict[str, Any] | None:
    """What the key used in a session, which is null where no request of it named this one."""
    session = read_session(name, key_id=key.id)
    if session is None:
        return None
    used = session.sum
    return {
        "id": name,
        "requests": used.requests,
        "failed": used.failed,
        "tokens": {
            "prompt": used.prompt_tokens,
            "cached": used.cached_tokens,
            "completion": used.completion_tokens,
        },
        "cost": _usd(used.cost_nano_usd),
        "began_at": session.began.isoformat(),
        "ended_at": session.ended.isoformat(),
        # Of a session of thousands of requests the newest are summed.
        "is_whole": not session.is_cut,
    }


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What is read of a key for `key_facts`."""

    usage: KeyUsage
    # Only where a budget applies to all the owner's keys.
    owners: KeyUsage | None = None
    last: LastRequest | None = None
    limits: Sequence[LimitUse] = ()
    # For whom the limits of each user are told; empty for nobody.
    user: str = ""


def _read_use(key: KeyRecord, user: str) -> KeyUse:
    owners = None
    if key.owner_id is not None and key.owner_limits.have_budgets:
        owners = owner_usage(key.owner_id)
    limits = read_use(key.effective_limits, user=user)
    return KeyUse(key_usage(key.id), owners, last_request(key.id), limits, user)


def key_facts(key: KeyRecord, use: KeyUse) -> dict[str, Any]:
    """The facts of a key as its holder sees them. Amounts are USD; null means that there is no
    limit. What remains is what is neither used nor reserved by requests still running.
    """
    limits, owner_limits = (limits_of(kind, key.effective_limits) for kind in ("key", "owner"))
    usage, owners, last = use.usage, use.owners, use.last
    total, month, day = usage.total, usage.month, usage.day
    budgets = _budgets(limits, usage)
    facts = {
        "label": key.name,
        "owner": key.owner_name,
        "team": key.team_name or None,
        "limit": budgets["total"]["limit"],
        "limit_remaining": budgets["total"]["remaining"],
        "usage": _usd(total.cost_nano_usd),
        "usage_daily": _usd(day.cost_nano_usd),
        "usage_monthly": _usd(month.cost_nano_usd),
        "budgets": budgets,
        "limits": [told_limit(each, key, use.user) for each in use.limits],
        "raises": told_raises(key, time.time(), use.user),
        "neurons_daily": _neurons_daily(limits, day),
        "requests": {"day": day.requests, "month": month.requests, "total": total.requests},
        "refused_today": {
            name.removeprefix("refused_"): count for name, count in usage.refused_today.items()
        },
        "tokens": {"prompt": total.prompt_tokens, "completion": total.completion_tokens},
        "images": total.images,
        "last_request": None
        if last is None
        else {
            "id": last.request_id,
            "model": last.model,
            "cost": _usd(last.cost_nano_usd),
            "started_at": last.started_at.isoformat(),
        },
        "is_free_tier": False,
        "rate_limit": {"requests": limits.requests_per_minute, "interval": "1m"},
        "rate_limits": _rates(limits),
        "allowed_models": list(key.model_patterns) if key.model_patterns is not None else None,
        "allowed_endpoints": list(key.endpoints) if key.endpoints is not None else None,
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
    }
    if owner_limits.have_rates:
        facts["owner_rate_limits"] = _rates(owner_limits)
    if owners is not None:
        facts["owner_budgets"] = _budgets(owner_limits, owners)
        facts["owner_neurons_daily"] = _neurons_daily(owner_limits, owners.day)
    return facts


def _rates(limits: Limits) -> dict[str, int | None]:
    return {
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrency": limits.concurrency,
    }


def _budgets(limits: Limits, usage: KeyUsage) -> dict[str, dict[str, float | None]]:
    windows = {
        "daily": (limits.daily_budget_nano_usd, usage.day),
        "monthly": (limits.monthly_budget_nano_usd, usage.month),
        "total": (limits.total_budget_nano_usd, usage.total),
    }
    return {
        window: {
            "limit": _usd(limit),
            "used": _usd(used.cost_nano_usd),
            "reserved": _usd(used.reserved_nano_usd),
            "remaining": _usd(_left(limit, used.cost_nano_usd + used.reserved_nano_usd)),
        }
        for window, (limit, used) in windows.items()
    }


def _neurons_daily(limits: Limits, day: Usage) -> dict[str, float | None]:
    limit, reserved = limits.daily_neurons_micro, day.reserved_neurons_micro
    return {
        "limit": _neurons(limit),
        "used": _neurons(day.neurons_micro),
        "reserved": _neurons(reserved),
        "remaining": _neurons(_left(limit, day.neurons_micro + reserved)),
    }


def _left(limit: int | None, taken: int) -> int | None:
    return None if limit is None else max(0, limit - taken)


def _usd(nano: int | None) -> float | None:
    return None if nano is None else float(Decimal(nano) / NANO)


def _neurons(micro: int | None) -> float | None:
    return None if micro is None else float(Decimal(micro) / MICRO)


def _time(epoch_s: float | None) -> str | None:
    return None if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC).isoformat()
