"""The limits that hold for a key, and raises in force, as `GET /v1/key` tells them."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from keys.access import reserve
from keys.access.key_record import KeyRecord
from keys.held_limits import SIMPLE, HeldLimit, Subject, What
from keys.limit_texts import kind_text
from keys.reports.limit_use import LimitUse
from keys.scopes import HolderKind, Limits, holder_words

NANO = Decimal(10**9)
MICRO = Decimal(10**6)

# Amounts of USD and neurons are told as numbers, counts as whole numbers.
_NUMBER: Final[dict[What, Callable[[int], float | int]]] = {
    "requests": int,
    "tokens": int,
    "concurrency": int,
    "usd": lambda amount: float(Decimal(amount) / NANO),
    "neurons": lambda amount: float(Decimal(amount) / MICRO),
}


def limits_of(kind: HolderKind, limits: Iterable[HeldLimit]) -> Limits:
    """Those of a key or its owner that count all models, raised where they are."""
    amounts = {(each.subject.what, each.subject.window): each.amount for each in limits
               if each.subject.holder_kind == kind and not each.subject.models}  # fmt: skip
    return Limits(**{field: amounts.get(means) for field, means in SIMPLE.items()})


def told_limit(use: LimitUse, key: KeyRecord, user: str) -> dict[str, Any]:
    """`used` and `remaining` are null for the limits of each user while none is named."""
    subject, limit = use.limit.subject, use.limit
    number = _NUMBER[subject.what]
    told = {
        "holder": _holder(subject, key, user),
        "holder_type": subject.holder_kind,
        "limit": kind_text(subject.what, subject.window),
        "what": subject.what,
        "window": subject.window or None,
        "models": list(subject.models) or None,
        "amount": number(limit.amount),
        "used": None if use.used is None else number(use.used),
        "reserved": number(use.reserved),
        "remaining": None if use.remaining is None else number(use.remaining),
        "resets_at": None if use.resets_at is None else use.resets_at.isoformat(),
    }
    if limit.is_raised:
        told["usual_amount"] = number(limit.usual or 0)
    return told


def told_raises(key: KeyRecord, now: float, user: str) -> list[dict[str, Any]]:
    return [
        {
            "holder": _holder(one.subject, key, user),
            "limit": kind_text(one.subject.what, one.subject.window),
            "models": list(one.subject.models) or None,
            "to": None if one.amount is None else _NUMBER[one.subject.what](one.amount),
            "by": None if one.plus is None else _NUMBER[one.subject.what](one.plus),
            "until": datetime.fromtimestamp(one.until, UTC).isoformat(),
        }
        for one in key.raises
        if one.until > now
    ]


def _holder(subject: Subject, key: KeyRecord, user: str) -> str:
    names = {"team": key.team_name, "user": user, "everybody": reserve.whose(subject)}
    return holder_words(subject.holder_kind, names.get(subject.holder_kind, ""))
