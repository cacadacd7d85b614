"""A replacement for a model that is planned to be retired: guessed from the catalog. Pure."""

from collections.abc import Iterable

from catalog.models import CatalogModel


def successor_of(model: CatalogModel, models: Iterable[CatalogModel]) -> CatalogModel | None:
    """A model that stays, for the same task and endpoints: rather of the same maker, then with more
    of the same capabilities, then the newest."""
    endpoints = set(model.classification.get("endpoints", ()))
    abilities = set(model.classification.get("capabilities", ()))
    staying = [
        other
        for other in models
        if other.task == model.task
        and other.name != model.name
        and other.enabled
        and other.retired_at is None
        and other.planned_deprecation_date is None
        and endpoints <= set(other.classification.get("endpoints", ()))
    ]

    def fitness(other: CatalogModel) -> tuple[bool, int, float, str]:
        able = abilities & set(other.classification.get("capabilities", ()))
        age = other.created_at.timestamp() if other.created_at else 0.0
        return (_maker(other) == _maker(model), len(able), age, other.name)

    return max(staying, key=fitness, default=None)


def _maker(model: CatalogModel) -> str:
    """'@cf/meta/llama-…' → '@cf/meta'."""
    return model.name.rpartition("/")[0]
