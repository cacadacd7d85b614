"""Explains one row of the request log: how its cost was computed, and where its time went. Pure."""

import json
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from keys.amounts import usd_text
from keys.models import RequestLog

_UNITS_PER_AMOUNT: Final = 1_000_000
_MS_PER_MINUTE: Final = 60_000

_END_REASONS: Final = {
    "complete": "The answer was sent whole.",
    "client_gone": "The client disconnected before the end. What was used until then is counted.",
    "upstream_error": "Workers AI failed or answered with an error.",
    "upstream_timeout": "Workers AI sent nothing for too long.",
    "upstream_cut": "Workers AI broke off in the middle of its answer.",
    "rejected": "The gateway refused the request.",
    "key_revoked": "The key was revoked or expired before the end.",
    "server_stopped": "The gateway was stopped before the end.",
    "gateway_error": "The gateway failed. Look for the request id in its log.",
}
_USAGE_SOURCES: Final = {
    "upstream": "as Workers AI reported it",
    "estimated": "estimated, because Workers AI reported none",
    "partial": "what was used until the answer broke off",
    "none": "nothing was used",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the cost: `quantity` of `unit` times `price` (USD) is `amount` (USD)."""

    unit: str
    quantity: str
    price: str
    amount: str


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the request's time: `at_ms` after it arrived, `percent` of the whole."""

    name: str
    at_ms: int
    took_ms: int
    percent: float
    left: float


@dataclass(frozen=True, slots=True)
class Explained:
    lines: list[Line]
    # The sum of the lines; None where they do not add up to the cost, as with pictures.
    sum_usd: str | None
    prices: list[tuple[str, str]]
    source: str
    end: str
    steps: list[Step]


def explain(row: RequestLog) -> Explained:
    amounts = _amounts(row.price)
    used = [(unit, count, per) for unit, count, per in _used(row) if count and unit in amounts]
    exact = [
        Decimal(count) * amounts[unit] / (_UNITS_PER_AMOUNT * per) for unit, count, per in used
    ]
    whole = sum(exact, Decimal(0)).quantize(Decimal(1), ROUND_HALF_UP)
    adds_up = bool(used) and int(whole) == row.cost_nano_usd
    return Explained(
        lines=[
            Line(
                unit=_words(unit),
                quantity=_quantity(count, per),
                price=_price(unit, amounts[unit]),
                amount=_usd(amount),
            )
            for (unit, count, per), amount in zip(used, exact, strict=True)
        ]
        if adds_up
        else [],
        sum_usd=usd_text(int(whole)) if adds_up else None,
        prices=[(_words(unit), _price(unit, amount)) for unit, amount in amounts.items()],
        source=_USAGE_SOURCES.get(row.usage_source, row.usage_source),
        end=_END_REASONS.get(row.end_reason, row.end_reason),
        steps=_steps(row),
    )


def _amounts(price: str | None) -> dict[str, int]:
    """Nano-USD for a million of each unit, from the price that is stored in the row."""
    try:
        amounts: Any = json.loads(price or "{}").get("amounts", {})
    except (ValueError, AttributeError):
        return {}
    return {unit: amount for unit, amount in amounts.items() if isinstance(amount, int)}


def _used(row: RequestLog) -> list[tuple[str, int, int]]:
    """Unit, quantity, and how many of these are one unit of the price."""
    amounts = _amounts(row.price)
    asked = row.prompt_tokens or 0
    cached = min(row.cached_tokens or 0, asked)
    if "cached_input_tokens" not in amounts:
        cached = 0
    return [
        ("input_tokens", asked - cached, 1),
        ("cached_input_tokens", cached, 1),
        ("output_tokens", row.completion_tokens or 0, 1),
        ("audio_minutes", row.audio_ms or 0, _MS_PER_MINUTE),
        ("requests", 1, 1),
    ]


def _words(unit: str) -> str:
    return unit.replace("_", " ")


def _quantity(count: int, per: int) -> str:
    return f"{count:,}" if per == 1 else f"{Decimal(count) / per:.3f}"


def _price(unit: str, amount: int) -> str:
    if unit.endswith("tokens"):
        return f"${usd_text(amount)} per million"
    return f"${_usd(Decimal(amount) / _UNITS_PER_AMOUNT)} each"


def _usd(nano_usd: Decimal) -> str:
    text = f"{nano_usd.scaleb(-9):.12f}"
    return text.rstrip("0").rstrip(".")


def _steps(row: RequestLog) -> list[Step]:
    whole = max(row.duration_ms, 1)
    first = row.duration_ms if row.ttft_ms is None else min(row.ttft_ms, row.duration_ms)
    tries = f" ({row.attempts} attempts)" if row.attempts > 1 else ""
    waited = min(row.waited_ms or 0, first)
    steps = [("Waiting for the account's rate", 0, waited)] if waited else []
    steps.append(("Admitted, waiting for the first byte" + tries, waited, first - waited))
    if row.ttft_ms is not None:
        steps.append(("Sending the answer", first, row.duration_ms - first))
    return [
        Step(name, at, took, round(took * 100 / whole, 2), round(at * 100 / whole, 2))
        for name, at, took in steps
    ]
