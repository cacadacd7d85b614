"""The limits of a holder as one object: a field for each kind, and lists of those on some models.

What a change does not name stays. Null takes a limit away, and so does a list without it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from keys.limit_holders import LimitHolder
from keys.limits_json import ShownLimits
from keys.written_limits import (
    KINDS,
    BadLimit,
    LimitKind,
    WrittenLimit,
    ensure_each_once,
    limit_from_text,
)
from management_api.fields import AmountField, Fields, TextField, TextsField

KIND_OF: Final = {name.replace("-", "_"): kind for name, kind in KINDS.items()}
MOST_TEXTS: Final = 100


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class LimitTexts(serializers.ListField):
    """Limits as the commands write them; together they are all that there shall be."""

    def __init__(self, *, of_models: bool, **kwargs: Any) -> None:
        self.of_models = of_models
        super().__init__(child=TextField(max_length=5000), max_length=MOST_TEXTS, **kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        texts = super().to_internal_value(data)
        errors: dict[Any, Any] = {}
        written = []
        for place, text in enumerate(texts):
            try:
                written.append(self._read(text))
            except BadLimit as error:
                errors[place] = [f"It cannot be read: {error}."]
        if errors:
            raise serializers.ValidationError(errors)
        try:
            ensure_each_once(written)
        except BadLimit as error:
            raise serializers.ValidationError(f"{error}.") from None
        return written

    def _read(self, text: str) -> WrittenLimit:
        limit = limit_from_text(text)
        if limit.amount is None:
            raise BadLimit("it has no amount; to take a limit away leave it out")
        if self.of_models and not limit.models:
            name = limit.kind.name.replace("-", "_")
            raise BadLimit(f"it names no models; a limit on all of them is the field {name!r}")
        return limit


class LimitFields(Fields):
    limit = LimitTexts(
        of_models=True,
        required=False,
        help_text="Limits on some models only, such as 'rpm=20 @cf/moonshotai/*'.",
    )

    def get_fields(self) -> dict[str, Any]:
        amounts = {
            name: AmountField(kind, required=False, allow_null=True, help_text=kind.words)
            for name, kind in KIND_OF.items()
        }
        return {**amounts, **super().get_fields()}


class KeyLimitFields(LimitFields):
    user_limit = LimitTexts(
        of_models=False,
        required=False,
        help_text="Limits of each user behind the key, such as 'daily-usd=1'.",
    )
    models = TextsField(required=False, help_text="Patterns; [] allows every model.")
    endpoints = TextsField(required=False, help_text="[] allows every endpoint.")
    networks = TextsField(required=False, help_text="CIDR; [] allows every address.")


def written(values: Mapping[str, Any], holder: LimitHolder | None = None) -> list[WrittenLimit]:
    """What the fields of `LimitFields` say, of a holder that may have limits already."""
    limits = [WrittenLimit(kind, values[name]) for name, kind in KIND_OF.items() if name in values]
    if "limit" in values:
        limits += _instead(values["limit"], holder, of_models=True)
    return limits


def written_of_users(
    values: Mapping[str, Any], holder: LimitHolder | None = None
) -> list[WrittenLimit]:
    """The same of `user_limit`; the holder is that of each user."""
    if "user_limit" not in values:
        return []
    return _instead(values["user_limit"], holder, of_models=False)


def shown_limits(limits: ShownLimits) -> ShownLimits:
    """With every kind, so that an object always has the same fields."""
    return {**dict.fromkeys(KIND_OF), **limits}


def _instead(
    wanted: Iterable[WrittenLimit], holder: LimitHolder | None, *, of_models: bool
) -> list[WrittenLimit]:
    """The wanted limits, and those that there are beside them, taken away."""
    limits = list(wanted)
    places = {(limit.kind, frozenset(limit.models)) for limit in limits}
    for row in () if holder is None else holder.rows:
        kind, models = LimitKind.of(row.subject), row.subject.models
        if (models or not of_models) and (kind, frozenset(models)) not in places:
            limits.append(WrittenLimit(kind, None, models))
    return limits
