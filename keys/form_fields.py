"""Fields that operators' and members' forms share: an amount, a list, the overlap of a rotation."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms

from keys.amounts import duration_from_text


class AmountField(forms.CharField):
    """Converts text to an integer in a small unit and back. Empty is None: no limit."""

    def __init__(
        self, parse: Callable[[str], int], show: Callable[[int], str], **kwargs: Any
    ) -> None:
        super().__init__(required=False, **kwargs)
        self._parse = parse
        self._show = show
        self.widget.attrs["inputmode"] = "decimal"

    def prepare_value(self, value: Any) -> Any:
        return self._show(value) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial)
        except forms.ValidationError:
            return True

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return self._parse(text)
        except ValueError:
            raise forms.ValidationError(
                f"{text!r} is not an amount. Enter a number above 0, such as 12.50."
            ) from None


class LinesField(forms.CharField):
    """A list of texts, one in a line or separated by commas."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 60})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return _lines(data or "") != (initial or [])

    def clean(self, value: Any) -> list[str]:
        return _lines(super().clean(value))


def _lines(text: str) -> list[str]:
    return [part.strip() for part in text.replace(",", "\n").splitlines() if part.strip()]


class OverlapField(forms.CharField):
    """How long the old secret of a rotated key stays valid, as a timedelta."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            initial="24h",
            max_length=12,
            help_text="How long the old secret goes on working, such as 24h or 7d; 0s ends it now.",
            **kwargs,
        )

    def clean(self, value: Any) -> timedelta:
        text = super().clean(value)
        try:
            overlap = duration_from_text(text)
        except ValueError:
            overlap = timedelta.max
        if overlap > timedelta(days=365):
            raise forms.ValidationError(
                f"{text!r} is not a time such as 30m, 24h or 7d, up to a year."
            )
        return overlap
