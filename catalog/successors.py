"""What to move to from a model that is planned to go: a guess from the catalog alone. Pure."""

from collections.abc import Iterable

from catalog.models import CatalogModel


def successor_of(model: CatalogModel, models: Iterable[CatalogModel]) -> CatalogModel | None:
    """A model for the same task and endpoints that stays: of the same maker rather than another,
    with all it can do rather than less, and the newest of those."""
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
