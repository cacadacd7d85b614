"""Aliases made, moved and removed: the one way for commands and for the management API."""

import difflib
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from catalog.errors import shown
from catalog.models import MOST_FALLBACKS, Alias, CatalogModel, next_revision


class NoSuchModel(LookupError):
    """The catalog has no model of this `name`; the message says which are close to it."""

    def __init__(self, name: str, told: str) -> None:
        super().__init__(told)
        self.name = name


class BadFallbacks(ValueError):
    """Too many, or one twice."""


def point_alias(name: str, model_names: Sequence[str]) -> tuple[Alias, bool]:
    """The alias of this name, which leads to the first model and has the others as its fallbacks,
    and whether it was made now. Raises `NoSuchModel`, `BadFallbacks`, and ValidationError with the
    name of the field; nothing is changed then."""
    with transaction.atomic():
        # Its lock puts two at once in a line: the second moves what the first made.
        next_revision()
        alias = Alias.objects.filter(alias=name).first()
        made = alias or Alias(alias=name)
        set_alias(made, model_names)
    return made, alias is None


def set_alias(alias: Alias, model_names: Sequence[str]) -> None:
    """Saves the alias with these models. Raises what `point_alias` does. Call it in a transaction
    that has taken the next revision before it read the alias."""
    if len(set(model_names)) < len(model_names):
        raise BadFallbacks("A model is named twice.")
    if len(model_names) - 1 > MOST_FALLBACKS:
        raise BadFallbacks(f"An alias has at most {MOST_FALLBACKS} fallbacks.")
    first, *others = [model_named(name) for name in model_names]
    alias.target = first
    alias.full_clean()
    alias.save()
    alias.set_fallbacks(others)


def model_named(name: str) -> CatalogModel:
    """Raises `NoSuchModel`."""
    model = CatalogModel.objects.filter(name=name).first()
    if model is None:
        names = CatalogModel.objects.values_list("name", flat=True)
        tails = {known.rsplit("/", 1)[-1]: known for known in names}
        near = difflib.get_close_matches(name[:120].rsplit("/", 1)[-1], tails, n=3)
        hint = f" Close to it: {', '.join(tails[tail] for tail in near)}." if near else ""
        raise NoSuchModel(name, f"The catalog has no model {shown(name)}.{hint}")
    return model


def alias_as_json(alias: Alias) -> dict[str, Any]:
    fallbacks = [fallback.target.name for fallback in alias.fallbacks.all()]
    return {"alias": alias.alias, "model": alias.target.name, "fallbacks": fallbacks}


def alias_line(alias: Alias) -> str:
    """'gpt-4o → @cf/openai/gpt-oss-120b → @cf/openai/gpt-oss-20b'."""
    return " → ".join([alias.alias, alias.target.name, *map(str, alias.fallbacks.all())])
