"""Amounts and times: parse what people write into the integers that are stored, and back. Pure.

Money is stored in nano-USD and neurons in micro-neurons, so that sums are exact.
"""

import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

NANO: Final = 1_000_000_000
MICRO: Final = 1_000_000
# Half of what a 64-bit column can hold, so that a sum of two still fits.
_HIGHEST: Final = 2**62

_DURATION = re.compile(r"(\d{1,9})\s*([smhdw])")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def nano_usd_from_text(text: str) -> int:
    """'12.50' → 12_500_000_000. Raises ValueError for what is not an amount above 0."""
    return _scaled(text.strip().removeprefix("$"), NANO)


def neurons_micro_from_text(text: str) -> int:
    return _scaled(text, MICRO)


def usd_text(nano_usd: int) -> str:
    """12_500_000_000 → '12.5': exact, without an exponent and without zeros at the end."""
    return _unscaled(nano_usd, 9)


def neurons_text(neurons_micro: int) -> str:
    return _unscaled(neurons_micro, 6)


def duration_from_text(text: str) -> timedelta:
    """'90d', '24h', '30m', '0s' → timedelta. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("not a duration")
    try:
        return timedelta(seconds=int(match[1]) * _UNIT_SECONDS[match[2]])
    except OverflowError:
        raise ValueError("too long") from None


def moment_from_text(text: str) -> datetime:
    """A date or a date with a time, UTC where it names no zone. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None


def last_moment_from_text(text: str) -> datetime:
    """Like `moment_from_text`, but a date without a time is the last second of that day."""
    moment = moment_from_text(text)
    if len(text.strip()) <= len("2027-01-31"):
        return datetime.combine(moment.date(), time(23, 59, 59), tzinfo=UTC)
    return moment


def _scaled(text: str, factor: int) -> int:
    try:
        amount = Decimal(text.strip()) * factor
        # Compare before converting to int: '1e999999999' would become a billion digits.
        if not 0 < amount < _HIGHEST or amount != amount.to_integral_value():
            raise ValueError("out of range")
    except ArithmeticError:
        raise ValueError("not a number") from None
    return int(amount)


def _unscaled(amount: int, places: int) -> str:
    text = f"{Decimal(amount).scaleb(-places):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
