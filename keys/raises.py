"""Raises of limits: made with a reason, listed, ended early. They end by themselves."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from keys import shown
from keys.key_history import note_change
from keys.key_json import iso
from keys.limit_holders import LimitHolder, holder_with
from keys.models import Raise, RaiseRequest, Revision
from keys.written_limits import BadLimit, LimitKind, WrittenRaise
from storage.names import on_one_line


def make_raise(
    holder: LimitHolder, written: WrittenRaise, *, until: datetime, why: str, by: Any
) -> Raise:
    """`by` is the account of whoever raises the limit. Raises `BadLimit` where there is no such
    limit, or the raise would not raise it."""
    with transaction.atomic():
        # The lock keeps the limit from being lowered between the check and the raise.
        Revision.take_next()
        holder.ensure_there()
        made = checked_raise(holder, written, until, why)
        made.made_by, made.made_by_name = by, by.get_username()
        made.save()
        told = f"Raised {raise_text(made)} until {_moment(until)}: {made.why}"
        note_change(holder.record, by.pk, told)
    return made


def checked_raise(holder: LimitHolder, written: WrittenRaise, until: datetime, why: str) -> Raise:
    """As it would be made, not stored. Raises `BadLimit`."""
    subject = holder.subject(written.kind.what, written.kind.window, written.models)
    made = Raise(
        holder_kind=subject.holder_kind,
        holder_id=subject.holder_id,
        what=subject.what,
        window=subject.window,
        model_patterns=list(subject.models),
        amount=None if written.is_added else written.amount,
        plus=written.amount if written.is_added else None,
        until=until,
        why=on_one_line(why),
    )
    try:
        made.full_clean(exclude=["made_by", "made_by_name"])
    except ValidationError as error:
        raise BadLimit(error.messages[0].rstrip(".")) from None
    return made


def end_raise(one: Raise, by: Any) -> bool:
    """False where it had ended before."""
    with transaction.atomic():
        if not one.end():
            return False
        holder = holder_with(one.subject)
        if holder is not None:
            told = f"Ended the raise of {raise_text(one)}, which was until {_moment(one.until)}."
            note_change(holder.record, by.pk, told)
    return True


def raise_text(one: Raise) -> str:
    """'daily-usd by 20', 'rpm @cf/x/* to 120'."""
    kind = LimitKind.of(one.subject)
    name = " ".join((kind.name, *one.model_patterns))
    if one.plus is not None:
        return f"{name} by {kind.unit.show(one.plus)}"
    return f"{name} to {kind.unit.show(one.amount or 0)}"


def wish_text(asked: RaiseRequest) -> str:
    """'$20.00 more per day', '5 more requests per minute for @cf/moonshotai/*'."""
    return shown.amount_text(asked.subject, asked.plus, " more")


def raised_text(one: Raise) -> str:
    """'$20.00 more per day', 'to 120 requests per minute'."""
    if one.plus is not None:
        return shown.amount_text(one.subject, one.plus, " more")
    return f"to {shown.amount_text(one.subject, one.amount or 0)}"


def raises_as_json(raises: Iterable[Raise]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.pk,
            "whose": _whose(one),
            "what": written_raise(one),
            "until": iso(one.until),
            "why": one.why,
            "by": one.made_by_name,
            "made_at": iso(one.made_at),
            "ended_at": iso(one.ended_at),
        }
        for one in raises
    ]


def written_raise(one: Raise) -> str:
    """As the command raise_limit takes it: 'daily-usd=+20'."""
    kind = LimitKind.of(one.subject)
    amount = one.amount if one.plus is None else one.plus
    sign = "" if one.plus is None else "+"
    return " ".join((f"{kind.name}={sign}{kind.unit.show(amount or 0)}", *one.model_patterns))


def _whose(one: Raise) -> str:
    holder = holder_with(one.subject)
    return f"{one.holder_kind}:{one.holder_id} (deleted)" if holder is None else holder.name


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
