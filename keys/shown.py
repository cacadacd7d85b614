"""Amounts and limits as pages show them: short, and never 0 for an amount above 0. Pure."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

from keys.held_limits import HeldLimit, Subject, What, WindowName


def usd(nano_usd: int) -> str:
    """'$0', '$0.000123', '$0.42', '$12.50', '$1,234.00'."""
    amount = Decimal(nano_usd).scaleb(-9)
    if nano_usd == 0:
        return "$0"
    if amount >= 1:
        return f"${amount:,.2f}"
    whole, _, part = f"{amount:.{2 - amount.adjusted()}f}".partition(".")
    return f"${whole}.{part.rstrip('0'):0<2}"


def neurons(neurons_micro: int) -> str:
    amount = Decimal(neurons_micro).scaleb(-6)
    if 0 < amount < Decimal("0.01"):
        return "<0.01"
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:,.2f}".rstrip("0").rstrip(".")


def seconds(duration_ms: int) -> str:
    return f"{duration_ms} ms" if duration_ms < 1000 else f"{duration_ms / 1000:,.1f} s"


def span(time: timedelta) -> str:
    """'40 s', '12 min', '2 h 5 min', '3 days 4 h': two units at most."""
    minutes, seconds = divmod(round(time.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{minutes} min" + (f" {seconds} s" if seconds else "") if minutes else f"{seconds} s"


def short(count: int) -> str:
    """'950', '12.3k', '4.5M': for the axes of a chart."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return str(count)


def limit_text(limit: HeldLimit) -> str:
    """'60 requests per minute', '$50.00 per month', '$5.00 in total for @cf/moonshotai/*'."""
    return amount_text(limit.subject, limit.amount)


def amount_text(subject: Subject, amount: int, more: str = "") -> str:
    """An amount of what the subject counts; `more` makes it '$5.00 more per day'."""
    if subject.what == "usd":
        text = f"{usd(amount)}{more}"
    else:
        count = neurons(amount) if subject.what == "neurons" else f"{amount:,}"
        text = f"{count}{more} {_NOUNS[subject.what]}"
    on = f" for {', '.join(subject.models)}" if subject.models else ""
    return f"{text}{_PER[subject.window]}{on}"


_NOUNS: Final[dict[What, str]] = {
    "requests": "requests",
    "tokens": "tokens",
    "concurrency": "requests at once",
    "neurons": "neurons",
}
_PER: Final[dict[WindowName, str]] = {
    "": "",
    "minute": " per minute",
    "day": " per day",
    "week": " per week",
    "month": " per month",
    "total": " in total",
}
