"""What a refresh changed, model by model, in the operator's words. Reads no database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.models import CatalogModel
from catalog.pricing.prices import prices_from_json
from catalog.pricing.texts import price_text


@dataclass(frozen=True, slots=True)
class Change:
    name: str
    kind: str  # added, changed, price, retired, returned
    text: str = ""
    # Field → [before, after].
    what: Mapping[str, list[Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.kind == "added":
            return f"+ {self.name}"
        if self.kind == "retired":
            return f"- {self.name}"
        if self.kind == "returned":
            return "; ".join(part for part in (f"+ {self.name}: returned", self.text) if part)
        return f"~ {self.name}: {self.text}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a refresh changed."""

    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    models_listed: int = 0

    def names(self, *kinds: str) -> list[str]:
        return [change.name for change in self.changes if change.kind in kinds]

    @property
    def summary(self) -> str:
        counts = {
            "added": len(self.names("added")),
            "changed": len(self.names("changed", "price")),
            "retired": len(self.names("retired")),
            "returned": len(self.names("returned")),
        }
        parts = [f"{count} {word}" for word, count in counts.items() if count] or ["no change"]
        plural = "" if self.models_listed == 1 else "s"
        return f"{self.models_listed} model{plural} listed: {', '.join(parts)}."

    def to_json(self) -> dict[str, Any]:
        return {
            "models_listed": self.models_listed,
            "added": self.names("added"),
            "changed": [
                {"name": change.name, "what": change.text}
                for change in self.changes
                if change.kind in ("changed", "price")
            ],
            "retired": self.names("retired"),
            "returned": self.names("returned"),
            "warnings": list(self.warnings),
        }


def what_changed(row: CatalogModel, values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Field → [before, after], fields under the operator's names."""
    before, after = row.classification, values["classification"]
    pairs = {
        "task": (row.task, values["task"]),
        "context window": (row.context_window, values["context_window"]),
        "deprecation": (
            _day(row.planned_deprecation_date),
            _day(values["planned_deprecation_date"]),
        ),
        "price": (
            _price(row.prices, row.price_source),
            _price(values["prices"], values["price_source"]),
        ),
        "description": (row.description, values["description"]),
        **{
            part: (before.get(part), after.get(part))
            for part in sorted({*before, *after} - {"context_window"})
        },
    }
    what = {name: list(pair) for name, pair in pairs.items() if pair[0] != pair[1]}
    if not what and row.entry != values["entry"]:
        what["entry"] = ["", ""]
    return what


def change_text(what: Mapping[str, list[Any]]) -> str:
    return "; ".join(_one_change(name, before, after) for name, (before, after) in what.items())


def _one_change(name: str, before: Any, after: Any) -> str:
    if name in ("endpoints", "capabilities"):
        signed = [f"+{word}" for word in after or [] if word not in (before or [])]
        signed += [f"-{word}" for word in before or [] if word not in (after or [])]
        return f"{name} {' '.join(signed)}"
    if name in ("task", "context window", "deprecation", "price"):
        return f"{name} {before or 'none'} → {after or 'none'}"
    words = {"entry": "details", "refusals": "reasons for what it cannot do"}
    return words.get(name, name if name == "description" else f"how {name} requests are made")


def _price(prices: object, source: str) -> str:
    return f"{price_text(prices_from_json(prices)) or 'none'} ({source})"


def _day(day: Any) -> str | None:
    return day.isoformat() if day else None
