"""Writes an object's history: each field before and after a change."""

from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest

_LONGEST: Final = 120


class Audited:
    """For an admin whose forms hold no secret. A formset beside the form may tell its own changes,
    in `changes_told`."""

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        tables = [one for one in formsets or () if hasattr(one, "changes_told")]
        others = [one for one in formsets or () if one not in tables]
        said: Any = super().construct_change_message(request, form, others, add)  # type: ignore[misc]
        lines = [line for table in tables for line in table.changes_told()]
        if add or not (form.changed_data or lines):
            return said
        inlines = [one for one in said if "changed" not in one or "name" in one["changed"]]
        return " ".join([*filter(None, [changes_of(form)]), *_told(inlines), *lines])


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
