"""Writes an object's history: each field before and after a change."""

from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest

_LONGEST: Final = 120


class Audited:
    """For an admin whose forms hold no secret."""

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        said: Any = super().construct_change_message(request, form, formsets, add)  # type: ignore[misc]
        if add or not form.changed_data:
            return said
        inlines = [one for one in said if "changed" not in one or "name" in one["changed"]]
        return " ".join([changes_of(form), *_told(inlines)])


def changes_of(form: Any) -> str:
    """'Budget per day (USD): 5 → 7. Notes: none → slow.'"""
    lines = []
    for name in form.changed_data:
        bound = form[name]
        before = _shown(bound.field, bound.initial)
        after = _shown(bound.field, form.cleaned_data.get(name))
        lines.append(f"{bound.label}: {before} → {after}.")
    return " ".join(lines)


def _shown(field: Any, value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if hasattr(value, "pk"):
        return str(value)
    if hasattr(field, "queryset") and value is not None:
        return str(field.queryset.filter(pk=value).first() or value)
    shown = value if isinstance(value, list) else field.prepare_value(value)
    if isinstance(shown, list):
        shown = ", ".join(map(str, shown))
    text = "none" if shown in (None, "") else str(shown).replace("\n", " ")
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _told(inlines: list[Any]) -> list[str]:
    """Django's own records of rows beside the form, such as aliases: 'Added alias gpt-4o.'"""
    return [
        f"{verb.capitalize()} {what['name']} {what['object']}."
        for record in inlines
        for verb, what in record.items()
        if "object" in what
    ]
