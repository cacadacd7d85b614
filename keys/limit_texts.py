"""Limits of the one form in words, for refusals, pages and commands. Pure."""

from typing import Final

from keys.amounts import neurons_text, usd_text
from keys.held_limits import HeldLimit, Subject, What, WindowName
from keys.scopes import holder_words

_PER: Final[dict[WindowName, str]] = {
    "": "",
    "minute": " per minute",
    "day": " per day",
    "week": " per week",
    "month": " per month",
    "total": " in all",
}
_BUDGET: Final[dict[WindowName, str]] = {
    "day": "daily",
    "week": "weekly",
    "month": "monthly",
    "total": "total",
}


def amount_text(what: What, amount: int) -> str:
    """'20 requests', '3 requests at once', '$0.5', '10000 neurons': exact, as limits are set."""
    if what == "usd":
        return f"${usd_text(amount)}"
    if what == "neurons":
        return f"{neurons_text(amount)} neurons"
    noun = "token" if what == "tokens" else "request"
    at_once = " at once" if what == "concurrency" else ""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}{at_once}"


def limit_text(limit: HeldLimit) -> str:
    """'20 requests per minute for @cf/moonshotai/*', '$20 per day', '$100 in all'."""
    subject = limit.subject
    text = f"{amount_text(subject.what, limit.amount)}{_PER[subject.window]}"
    return f"{text} for {', '.join(subject.models)}" if subject.models else text


def kind_text(what: What, window: WindowName) -> str:
    """What a limit limits: 'requests per minute', 'requests at once', 'daily budget'."""
    if what == "concurrency":
        return "requests at once"
    if what == "usd":
        return f"{_BUDGET[window]} budget"
    if what == "neurons":
        return f"{_BUDGET[window]} neurons"
    return f"{what}{_PER[window]}"


def subject_text(subject: Subject, name: str = "") -> str:
    """'daily budget for the team research on @cf/moonshotai/*'."""
    whose = holder_words(subject.holder_kind, name, subject.models)
    return f"{kind_text(subject.what, subject.window)} for {whose}"
