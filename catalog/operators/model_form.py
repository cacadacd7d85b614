"""The form of a model: the operator's own fields, with a field for each unit of price."""

from decimal import Decimal
from typing import Any, ClassVar

from django import forms

from catalog.models import CatalogModel
from catalog.pricing.prices import (
    HIGHEST_USD,
    UNITS,
    prices_from_json,
    prices_from_usd,
    prices_to_json,
    usd_quotes,
)
from catalog.pricing.texts import plain


def _usd_field(wording: str) -> forms.DecimalField:
    return forms.DecimalField(
        required=False,
        min_value=Decimal(0),
        max_value=HIGHEST_USD,
        max_digits=19,
        decimal_places=12,
        label=f"USD {wording}",
    )


# One field per unit, as the units are listed in one place only.
UsdFields: type[forms.ModelForm] = type(
    "UsdFields",
    (forms.ModelForm,),
    {f"usd_{unit}": _usd_field(wording) for unit, wording in UNITS.items()},
)


class CatalogModelForm(UsdFields):  # type: ignore[misc, valid-type]
    """The operator's own fields. Any amount given replaces all other prices of the model."""

    class Meta:
        model = CatalogModel
        fields = ("enabled", "notes")
        help_texts: ClassVar = {
            "enabled": "A disabled model is neither listed nor run. A refresh leaves this alone.",
            "notes": "For operators only.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.operator_prices is not None:
            for unit, usd in usd_quotes(prices_from_json(self.instance.operator_prices)).items():
                self.initial[f"usd_{unit}"] = plain(usd)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        quotes = {
            unit: cleaned[f"usd_{unit}"] for unit in UNITS if cleaned.get(f"usd_{unit}") is not None
        }
        self.instance.operator_prices = prices_to_json(prices_from_usd(quotes)) if quotes else None
        return cleaned
