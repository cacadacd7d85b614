"""The forms of members' own keys: the fields of a key, within what an operator allows."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from keys.amounts import nano_usd_from_text, neurons_micro_from_text, neurons_text, usd_text
from keys.form_fields import AmountField, LinesField, OverlapField
from keys.held_limits import SIMPLE
from keys.limit_changes import change_limits
from keys.limit_holders import holder_of_key, holder_of_users
from keys.member import policy
from keys.member.limit_lines import (
    MOST_LIMITS,
    LimitLinesField,
    ordered,
    problem_with,
    subject_of,
)
from keys.member.policy import Ceiling, is_within_networks, is_within_patterns
from keys.models import ENDPOINTS, Key, validate_networks
from keys.scopes import HolderKind
from keys.written_limits import UNITS, count_from_text
from storage.names import validate_name

LONGEST_OVERLAP: Final = timedelta(days=30)


_SHOW: Final[dict[str, Callable[[int], str]]] = {
    column: UNITS[what].show for column, (what, _) in SIMPLE.items()
}


_LINES: Final[dict[str, HolderKind]] = {"more_limits": "key", "user_limits": "user"}


class LimitsForm(forms.Form):
    """The limits of a key. An empty field means the ceiling's value."""

    expires_on = forms.DateField(
        required=False,
        label="Expires after",
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    daily_budget_nano_usd = AmountField(nano_usd_from_text, usd_text, label="Budget per day (USD)")
    monthly_budget_nano_usd = AmountField(
        nano_usd_from_text, usd_text, label="Budget per month (USD)"
    )
    total_budget_nano_usd = AmountField(nano_usd_from_text, usd_text, label="Total budget (USD)")
    daily_neurons_micro = AmountField(
        neurons_micro_from_text, neurons_text, label="Neurons per day"
    )
    requests_per_minute = AmountField(count_from_text, str, label="Requests per minute")
    tokens_per_minute = AmountField(count_from_text, str, label="Tokens per minute")
    concurrency = AmountField(count_from_text, str, label="Requests at once")
    more_limits = LimitLinesField(
        label="More limits",
        help_text="One a line: rpd=500 is 500 requests per day, daily-usd=1 @cf/moonshotai/* a "
        "dollar per day on these models. A limit is rpm, rpd, tpm, tpd, concurrency, or daily-, "
        "weekly-, monthly- or total- before usd, neurons, requests or tokens.",
    )
    user_limits = LimitLinesField(
        label="Limits of each user behind the key",
        help_text="For a chat app that names its users: daily-usd=0.50 is 50 cents a day for each.",
    )
    allowed_models = LinesField(required=False, max_length=2000, label="Models")
    allowed_endpoints = forms.MultipleChoiceField(
        required=False,
        label="Endpoints",
        choices=[(name, name) for name in ENDPOINTS],
        widget=forms.CheckboxSelectMultiple,
    )
    allowed_networks = LinesField(required=False, max_length=2000, label="Networks")

    def __init__(
        self,
        data: Any = None,
        *,
        ceiling: Ceiling,
        initial: Any = None,
        of_team: Mapping[str, int] | None = None,
    ) -> None:
        """`of_team` has the amounts of a team, which a lead can give to no key in full twice: more
        than them is refused, and an empty field stays empty."""
        super().__init__(data, initial=initial)
        self._ceiling = ceiling
        self._of_team = of_team or {}
        for name, show in _SHOW.items():
            highest = ceiling.amounts.get(name)
            field = self.fields[name]
            field.help_text = "" if highest is None else f"At most {show(highest)}."
        for name in ("allowed_models", "allowed_networks"):
            self.fields[name].widget.attrs["rows"] = 2
        self._explain_lists(ceiling)
        if ceiling.expires_at is not None:
            last = ceiling.expires_at.astimezone(UTC).date()
            until = f"{last:%Y-%m-%d} at the latest."
        else:
            until = "Empty: it never expires."
        self.fields["expires_on"].help_text = f"The last day that the key works (UTC). {until}"

    def _explain_lists(self, ceiling: Ceiling) -> None:
        models, networks = self.fields["allowed_models"], self.fields["allowed_networks"]
        models.help_text = (
            f"Only within {', '.join(ceiling.models)}."
            if ceiling.models
            else "One pattern a line, such as @cf/meta/*. Empty: every model."
        )
        networks.help_text = (
            f"Only within {', '.join(ceiling.networks)}."
            if ceiling.networks
            else "One network a line, such as 10.0.0.0/8. Empty: from anywhere."
        )
        endpoints: Any = self.fields["allowed_endpoints"]
        if ceiling.endpoints:
            endpoints.choices = [(name, name) for name in ceiling.endpoints]
        endpoints.help_text = "Nothing ticked: all of these."

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name, show in _SHOW.items():
            highest = self._ceiling.amounts.get(name)
            if highest is None or name in self.errors:
                continue
            if values.get(name) is None:
                values[name] = highest
            elif values[name] > highest:
                self.add_error(name, f"Enter at most {show(highest)}.")
        for name, highest in self._of_team.items():
            if name not in self.errors and (values.get(name) or 0) > highest:
                words = f"The whole team has {_SHOW[name](highest)}: enter at most that."
                self.add_error(name, words)
        if not {*_LINES} & {*self.errors}:
            self._clean_lines(values)
        return values

    def _clean_lines(self, values: dict[str, Any]) -> None:
        held = self._ceiling.more
        subjects = set(held)
        for name, kind in _LINES.items():
            for limit in values.get(name, ()):
                subjects.add(subject_of(kind, limit))
                problem = problem_with(kind, limit, held)
                if problem is not None:
                    self.add_error(name, problem)
                    break
        if len(subjects) > max(MOST_LIMITS, len(held)):
            words = f"A key has at most {MOST_LIMITS} limits beside those of the fields above."
            self.add_error("more_limits", words)

    def clean_expires_on(self) -> datetime | None:
        """The moment at which the key expires."""
        day, latest = self.cleaned_data["expires_on"], self._ceiling.expires_at
        if day is None:
            return latest
        end = datetime.combine(day, time(23, 59, 59), tzinfo=UTC)
        if end <= timezone.now():
            raise ValidationError("This day is over. Choose a later one.")
        if latest is None or end <= latest:
            return end
        if day == latest.astimezone(UTC).date():
            return latest
        raise ValidationError(f"Choose {latest.astimezone(UTC):%Y-%m-%d} at the latest.")

    def clean_allowed_models(self) -> list[str]:
        patterns, allowed = self.cleaned_data["allowed_models"], self._ceiling.models
        for pattern in patterns:
            if allowed and not is_within_patterns(pattern, allowed):
                raise ValidationError(f"{pattern!r} is not within {', '.join(allowed)}.")
        return patterns or list(allowed)

    def clean_allowed_endpoints(self) -> list[str]:
        return self.cleaned_data["allowed_endpoints"] or list(self._ceiling.endpoints)

    def clean_allowed_networks(self) -> list[str]:
        networks, allowed = self.cleaned_data["allowed_networks"], self._ceiling.networks
        validate_networks(networks)
        for network in networks:
            if allowed and not is_within_networks(network, allowed):
                raise ValidationError(f"{network!r} is not within {', '.join(allowed)}.")
        return networks or list(allowed)

    def label_of(self, key_field: str) -> str:
        """What the form calls a field of `Key`."""
        field = "expires_on" if key_field == "expires_at" else key_field
        return str(self.fields[field].label)

    @property
    def key_fields(self) -> dict[str, Any]:
        """The values, under the field names of `Key`."""
        values = {name: value for name, value in self.cleaned_data.items() if name not in _LINES}
        return {"expires_at": values.pop("expires_on"), **values}

    def change_more(self, key: Key) -> list[str]:
        """Sets the limits that are no fields of `Key`. What changed, in words."""
        values = self.cleaned_data
        told = change_limits(holder_of_key(key), values["more_limits"])
        of_users = change_limits(holder_of_users(key), values["user_limits"])
        return [*told, *(f"each user: {one}" for one in of_users)]


class NewKeyForm(LimitsForm):
    name = forms.CharField(
        max_length=120,
        validators=[validate_name],
        help_text="What the key is for, such as laptop or chat app.",
    )
    field_order = ("name",)


def limits_of(key: Key) -> dict[str, Any]:
    """The initial values of a form that changes the key."""
    fields = [name for name in LimitsForm.base_fields if name not in ("expires_on", *_LINES)]
    expires = key.expires_at
    more = policy.ceiling_of(key).more
    return {
        **{name: ordered(more, kind) for name, kind in _LINES.items()},
        "expires_on": None if expires is None else expires.astimezone(UTC).date(),
        **{name: getattr(key, name) for name in fields},
    }


class OwnRotateForm(forms.Form):
    overlap = OverlapField()

    def clean_overlap(self) -> timedelta:
        overlap: timedelta = self.cleaned_data["overlap"]
        if overlap > LONGEST_OVERLAP:
            raise ValidationError("At most 30d: until then both secrets work.")
        return overlap
