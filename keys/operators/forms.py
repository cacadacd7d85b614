"""The forms of keys and owners' limits in the admin: money in USD, lists as lines of text."""

from typing import Any, ClassVar

from django import forms

from keys.amounts import nano_usd_from_text, neurons_micro_from_text, neurons_text, usd_text
from keys.form_fields import AmountField, LinesField, OverlapField
from keys.key_changes import OF_A_REVOKED_KEY, refuse_inactive_owner, refuse_past_expiry
from keys.models import ENDPOINTS, LIMITS, USUAL_CAPTURE_DAYS, Key, OwnerLimits


def _usd(label: str) -> AmountField:
    return AmountField(nano_usd_from_text, usd_text, label=label)


class LimitsForm(forms.ModelForm):
    """The amounts of limits, in USD and neurons."""

    daily_budget_nano_usd = _usd("Budget per day (USD)")
    monthly_budget_nano_usd = _usd("Budget per month (USD)")
    total_budget_nano_usd = _usd("Total budget (USD)")
    daily_neurons_micro = AmountField(
        neurons_micro_from_text,
        neurons_text,
        label="Neurons per day",
    )


class OwnerLimitsForm(LimitsForm):
    class Meta:
        model = OwnerLimits
        fields: ClassVar = ["owner", "max_keys", *LIMITS]
        labels: ClassVar = {"max_keys": "Keys of their own"}
        help_texts: ClassVar = {
            "max_keys": "The owner can make another key while fewer than this are active. Empty: "
            "MEMBER_MAX_KEYS of the settings. 0: none."
        }


class _WeightField(forms.IntegerField):
    def has_changed(self, initial: Any, data: Any) -> bool:
        """Empty is the usual weight, so a form without it changes nothing of most keys."""
        return super().has_changed(initial, data or 1)


class KeyForm(LimitsForm):
    allowed_models = LinesField(
        required=False,
        help_text="One pattern a line, such as @cf/meta/*. Empty: every model.",
    )
    allowed_endpoints = forms.MultipleChoiceField(
        required=False,
        choices=[(name, name) for name in ENDPOINTS],
        widget=forms.CheckboxSelectMultiple,
        help_text="Nothing ticked: every endpoint.",
    )
    allowed_networks = LinesField(
        required=False, help_text="One network a line, such as 10.0.0.0/8. Empty: from anywhere."
    )

    queue_weight = _WeightField(
        required=False,
        min_value=1,
        max_value=100,
        label="Weight in the line",
        help_text=(
            "How often it is served beside keys of weight 1 while requests wait for the account's "
            "rate. Empty: 1."
        ),
    )
    capture_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3650,
        label="Delete after (days)",
        help_text=f"Also counts for what is stored already. Empty: {USUAL_CAPTURE_DAYS} days.",
    )

    class Meta:
        model = Key
        fields: ClassVar = [
            *("name", "owner", "notes", "expires_at"),
            *("allowed_models", "allowed_endpoints", "allowed_networks"),
            *LIMITS,
            *("queue_weight", "uses_reserve", "capture_text", "capture_days"),
        ]
        labels: ClassVar = {
            "capture_text": "Store prompts and answers",
            "uses_reserve": "May use the reserved neurons",
            "expires_at": "Expires at (UTC)",
        }
        help_texts: ClassVar = {
            "expires_at": "Empty: never.",
            "notes": "For operators only; the owner does not see them.",
            "uses_reserve": "The last free neurons of a day, which RESERVED_NEURONS keeps from all "
            "other keys.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A form that may only be viewed has no fields; the static key has no owner.
        if "owner" in self.fields:
            self.fields["owner"].required = not self.instance.is_static

    def clean_queue_weight(self) -> int:
        return self.cleaned_data["queue_weight"] or 1

    def clean(self) -> dict[str, Any]:
        """Refuses a new key that would not work, and changes that would have no effect."""
        values = super().clean() or {}
        if self.instance.revoked_at is not None:
            for name in self.changed_data:
                if name not in OF_A_REVOKED_KEY:
                    self.add_error(name, "This key is revoked for good: issue a new one.")
            return values
        try:
            if "expires_at" in self.changed_data:
                refuse_past_expiry(values)
            if self.instance.pk is None:
                refuse_inactive_owner(values.get("owner"))
        except forms.ValidationError as error:
            self.add_error(None, error)
        return values


class RotateForm(forms.Form):
    overlap = OverlapField()


# The groups in which the admin shows limits, of keys and of owners.
LIMIT_FIELDSETS: Any = [
    (
        "Rate limits",
        {
            "description": "Empty: no limit.",
            "fields": ["requests_per_minute", "tokens_per_minute", "concurrency"],
        },
    ),
    (
        "Budgets",
        {
            "description": "Days and months are UTC. Empty: no limit.",
            "fields": [
                "daily_budget_nano_usd",
                "monthly_budget_nano_usd",
                "total_budget_nano_usd",
                "daily_neurons_micro",
            ],
        },
    ),
]
