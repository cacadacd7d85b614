"""Changes of limits, by commands and pages alike: only what is named changes."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction

from keys.held_limits import Subject
from keys.limit_holders import LimitHolder
from keys.models import Limit, Revision
from keys.written_limits import BadLimit, WrittenLimit


def change_limits(holder: LimitHolder, limits: Iterable[WrittenLimit]) -> list[str]:
    """Sets what `limits` name, and takes away those without an amount. Returns what changed, such
    as 'rpm: 60 → 120', for the history. Raises `BadLimit`, and nothing is changed then."""
    told = []
    with transaction.atomic():
        # The lock keeps another change from coming between reading an amount and setting it.
        Revision.take_next()
        holder.ensure_there()
        for limit in limits:
            subject = holder.subject(limit.kind.what, limit.kind.window, limit.models)
            before = _set(holder, subject, limit)
            if before != limit.amount:
                told.append(_change_told(limit, before))
    return told


def _set(holder: LimitHolder, subject: Subject, limit: WrittenLimit) -> int | None:
    """Returns the amount before."""
    if subject.simple_field is None:
        return _set_row(holder, subject, limit)
    columns = holder.columns
    assert columns is not None
    before: int | None = getattr(columns, subject.simple_field)
    if before != limit.amount:
        setattr(columns, subject.simple_field, limit.amount)
        columns.save(update_fields=[subject.simple_field])
    return before


def _set_row(holder: LimitHolder, subject: Subject, limit: WrittenLimit) -> int | None:
    row = holder.rows.filter(
        what=subject.what, window=subject.window, model_patterns=list(subject.models)
    ).first()
    before = None if row is None else row.amount
    if limit.amount is None:
        if row is not None:
            row.delete()
        return before
    if before == limit.amount:
        return before
    if row is None:
        row = Limit(
            holder_kind=holder.kind,
            holder_id=holder.id,
            what=subject.what,
            window=subject.window,
            model_patterns=list(subject.models),
        )
    row.amount = limit.amount
    try:
        row.full_clean()
    except ValidationError as error:
        raise BadLimit(f"{limit}: {error.messages[0].rstrip('.')}") from None
    row.save()
    return before


def _change_told(limit: WrittenLimit, before: int | None) -> str:
    name = " ".join((limit.kind.name, *limit.models))
    return f"{name}: {_shown(limit, before)} → {_shown(limit, limit.amount)}"


def _shown(limit: WrittenLimit, amount: int | None) -> str:
    return "none" if amount is None else limit.kind.unit.show(amount)
