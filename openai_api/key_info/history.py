"""`GET /v1/key/usage?since=&until=&by=day|model|endpoint`: what a key used, for its holder.

Days are UTC and both are included. Amounts are USD, as in `GET /v1/key`.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import orjson
from django.http.response import HttpResponseBase

from keys.access.key_record import KeyRecord
from keys.reports.key_history import BY, key_history
from openai_api.base import GatewayView
from openai_api.errors import BadRequest
from openai_api.from_database import ask_database
from openai_api.key_info.limits import MICRO, NANO
from openai_api.wire.http_response import WholeResponse

LONGEST: Final = timedelta(days=366)


class KeyUsageView(GatewayView):
    """Without `since` the month so far."""

    async def get(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        until = _day(request, "until") or datetime.now(UTC).date()
        since = _day(request, "since") or until.replace(day=1)
        by = request.GET.get("by") or "day"
        if by not in BY:
            known = ", ".join(BY)
            raise BadRequest(f"'by' is {by[:40]!r}: it takes one of {known}.", param="by")
        if since > until:
            raise BadRequest(f"'since' ({since}) is after 'until' ({until}).", param="since")
        if until - since > LONGEST:
            raise BadRequest(
                f"From {since} to {until} are more than {LONGEST.days} days: ask for less at once.",
                param="since",
            )
        lines = await ask_database(key_history, key.id, since, until, by)
        body = {
            "object": "list",
            "since": since.isoformat(),
            "until": until.isoformat(),
            "by": by,
            "data": [{by: _named(line[BY[by]]), **_told(line)} for line in lines],
            "total": _told(_sum(lines)),
        }
        return WholeResponse(orjson.dumps(body))


def _day(request: Any, name: str) -> date | None:
    text = request.GET.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequest(
            f"{name!r} is {text[:40]!r}: it takes a day such as 2026-11-30.", param=name
        ) from None


def _named(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _sum(lines: Iterable[dict[str, Any]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for line in lines:
        for name, value in line.items():
            if isinstance(value, int):
                total[name] = total.get(name, 0) + value
    return total


def _told(sums: dict[str, Any]) -> dict[str, Any]:
    def count(name: str) -> int:
        return int(sums.get(name) or 0)

    return {
        "requests": count("requests"),
        "failed": count("errors"),
        "tokens": {
            "prompt": count("prompt_tokens"),
            "cached": count("cached_tokens"),
            "completion": count("completion_tokens"),
            "reasoning": count("reasoning_tokens"),
        },
        "images": count("images"),
        "audio_seconds": count("audio_ms") / 1000,
        "cost": float(Decimal(count("cost_nano_usd")) / NANO),
        "neurons": float(Decimal(count("neurons_micro")) / MICRO),
    }
