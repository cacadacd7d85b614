"""Limits of the one form in members' forms: a line each, as the commands write them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from keys.held_limits import Subject
from keys.models import Limit, normal_patterns
from keys.scopes import HolderKind
from keys.written_limits import (
    BadLimit,
    LimitKind,
    WrittenLimit,
    ensure_each_once,
    limit_from_text,
)

# Of one key with those of its users: each is looked at with every request.
MOST_LIMITS: Final = 20
# Until the key has an id.
_NO_ID_YET: Final = -1


class LimitLinesField(forms.CharField):
    """Converts lines to `WrittenLimit`s and back."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 2, "spellcheck": "false"})
        super().__init__(required=False, max_length=4000, widget=widget, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[WrittenLimit]:
        text = super().clean(value)
        try:
            limits = [_limit(line) for line in text.splitlines() if line.strip()]
            ensure_each_once(limits)
        except BadLimit as error:
            raise ValidationError(f"{error}.") from None
        return limits


def _limit(line: str) -> WrittenLimit:
    try:
        return limit_from_text(line)
    except BadLimit as error:
        raise BadLimit(f"{line.strip()!r}: {error}") from None


def subject_of(kind: HolderKind, limit: WrittenLimit, key_id: int = _NO_ID_YET) -> Subject:
    patterns = tuple(normal_patterns(limit.models))
    return Subject(kind, key_id, limit.kind.what, limit.kind.window, patterns)


def written(subject: Subject, amount: int) -> WrittenLimit:
    return WrittenLimit(LimitKind.of(subject), amount, subject.models)


def limits_of(rows: Iterable[Limit]) -> dict[Subject, int]:
    """The amounts of a key's limits, as `subject_of` names them before there is an id."""
    return {
        subject_of(row.subject.holder_kind, written(row.subject, row.amount)): row.amount
        for row in rows
    }


def problem_with(
    kind: HolderKind, limit: WrittenLimit, held: Mapping[Subject, int]
) -> ValidationError | None:
    """Why a member may not set it, beside those that the key has; None where it is no looser."""
    subject = subject_of(kind, limit)
    if limit.amount is None:
        return ValidationError(f"{limit}: you can make a limit stricter, but not take it away.")
    if limit.amount > held.get(subject, limit.amount):
        return ValidationError(
            f"{limit}: enter at most {limit.kind.unit.show(held[subject])}, as it is now."
        )
    row = Limit(
        holder_kind=kind,
        holder_id=subject.holder_id,
        what=subject.what,
        window=subject.window,
        model_patterns=list(subject.models),
        amount=limit.amount,
    )
    try:
        row.clean()
    except ValidationError as error:
        return ValidationError(f"{limit}: {error.messages[0]}")
    return None


def ordered(limits: Mapping[Subject, int], kind: HolderKind) -> list[WrittenLimit]:
    mine = [written(*each) for each in limits.items() if each[0].holder_kind == kind]
    return sorted(mine, key=str)
