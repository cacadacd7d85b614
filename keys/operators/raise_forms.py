"""The form by which operators raise a limit, in the words of the command raise_limit."""

from datetime import UTC, datetime, time
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from unfold.widgets import UnfoldAdminSingleDateWidget, UnfoldAdminTextInputWidget

from keys.holder_choice import FORMS, NoSuchHolder, holder_named
from keys.models import Raise
from keys.raises import checked_raise
from keys.written_limits import BadLimit, raise_from_text


class RaiseForm(forms.ModelForm):
    whose = forms.CharField(
        max_length=200,
        help_text=f"{FORMS}.",
        widget=UnfoldAdminTextInputWidget,
    )
    wish = forms.CharField(
        label="Raise",
        max_length=1000,
        help_text="daily-usd=+20 is 20 more, rpm=120 is 120 in place of what it was; with patterns "
        "of models where the limit has them: rpm=+20 @cf/moonshotai/*.",
        widget=UnfoldAdminTextInputWidget,
    )
    last_day = forms.DateField(
        label="Last day (UTC)",
        help_text="After this day the limit is as it was.",
        widget=UnfoldAdminSingleDateWidget,
    )
    reason = forms.CharField(
        label="Why", max_length=500, help_text="Stays in the history.",
        widget=UnfoldAdminTextInputWidget,
    )  # fmt: skip

    class Meta:
        model = Raise
        fields: ClassVar[list[str]] = []

    def clean_last_day(self) -> datetime:
        end = datetime.combine(self.cleaned_data["last_day"], time(23, 59, 59), tzinfo=UTC)
        if end <= timezone.now():
            raise forms.ValidationError("This day is over. Choose a later one.")
        return end

    def clean_whose(self) -> Any:
        try:
            return holder_named(self.cleaned_data["whose"])
        except NoSuchHolder as error:
            raise forms.ValidationError(f"{_begun(error)}.") from None

    def clean_wish(self) -> Any:
        try:
            return raise_from_text(self.cleaned_data["wish"])
        except BadLimit as error:
            raise forms.ValidationError(f"{_begun(error)}.") from None

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            try:
                checked_raise(values["whose"], values["wish"], values["last_day"], values["reason"])
            except BadLimit as error:
                self.add_error("wish", f"{_begun(error)}.")
        return values

    def _post_clean(self) -> None:
        """The raise is made whole by `make_raise`."""


def _begun(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}"
