"""Fields of requests: a body has what is named, and values are read as the commands read them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from keys.amounts import last_moment_from_text
from keys.written_limits import BadLimit, LimitKind

# PostgreSQL's bigint holds more digits than these.
MOST_ID = 10**18


class Fields(serializers.Serializer[Any]):
    """Refuses by name what it does not know, and what can only be read."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            fields = self.fields
            wrong = {name: ["There is no such field."] for name in data if name not in fields}
            wrong |= {
                name: ["This field can only be read."]
                for name in data
                if name in fields and fields[name].read_only
            }
            if wrong:
                raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)


class NoFields(Fields):
    """A body without fields, or none."""


class TextField(serializers.CharField):
    """Text, and no number that is taken for one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class TextsField(serializers.ListField):
    """A list of texts, none of them empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=TextField(max_length=2000), max_length=200, **kwargs)


class IdField(serializers.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": MOST_ID, **kwargs})

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return int(super().to_internal_value(data))


@extend_schema_field({"type": "string"})
class MomentField(serializers.Field[Any, Any, Any, Any]):
    """A moment, or a day, which ends with its last second (UTC)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", "2027-01-31 (its end, UTC) or 2027-01-31T12:00:00Z.")
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        text = data if isinstance(data, str) and len(data) <= 40 else ""
        try:
            return last_moment_from_text(text)
        except ValueError:
            raise serializers.ValidationError(
                "It takes a day or moment such as 2027-01-31 or 2027-01-31T12:00:00Z."
            ) from None

    def to_representation(self, value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else value


class AmountField(serializers.Field[Any, Any, Any, Any]):
    """The amount of a limit: a count as a number; USD and neurons as exact text, or a number."""

    def __init__(self, kind: LimitKind, **kwargs: Any) -> None:
        self.kind = kind
        words: dict[str, Any] = {"type": "string"}
        if kind.is_count:
            words = {"type": "integer", "minimum": 1}
        set_override(self, "field", words)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int | None:
        return amount_from_json(self.kind, data)

    def to_representation(self, value: Any) -> Any:
        return value


def amount_from_json(kind: LimitKind, told: Any) -> int:
    """Raises ValidationError."""
    is_number = isinstance(told, int | float | str) and not isinstance(told, bool)
    text = str(told).strip() if is_number else ""
    try:
        amount = kind.amount(text) if text.isascii() and len(text) <= 40 else None
    except BadLimit:
        amount = None
    if amount is None:
        raise serializers.ValidationError(f"It takes {kind.unit.takes}.")
    return amount
