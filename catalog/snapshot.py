"""The whole catalog in memory, so that resolving a model costs no query.

`poll` runs in a thread of its own every few seconds; the event loop only reads `current()`. A
snapshot is immutable: a new one is built and one reference is replaced.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from urllib.parse import quote

from catalog.classify.facts import (
    AudioFacts,
    ChatFacts,
    DecisionFacts,
    EmbeddingFacts,
    ImageRecipe,
)
from catalog.models import Alias, CatalogModel, Fallback, current_revision
from catalog.pricing.prices import UNPRICED, Prices


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """All that a request may ask about a model."""

    name: str
    task: str = ""
    author: str = ""
    description: str = ""
    created: int = 0
    context_window: int | None = None
    endpoints: frozenset[str] = frozenset()
    refusals: Mapping[str, str] = field(default_factory=dict)
    capabilities: frozenset[str] = frozenset()
    image: ImageRecipe | None = None
    chat: ChatFacts | None = None
    embeddings: EmbeddingFacts | None = None
    audio: AudioFacts | None = None
    decisions: DecisionFacts | None = None
    prices: Prices = UNPRICED
    price_source: str = "unpriced"
    # Of `catalog.models.ACCESS`: what the account lacks to use it.
    access: str = ""
    enabled: bool = True
    retired: bool = False
    planned_deprecation_date: date | None = None
    # The name as the value of a header.
    header: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "header", quote(self.name, safe="@/").encode())


@dataclass(frozen=True, slots=True)
class Snapshot:
    models: Mapping[str, ModelRecord] = field(default_factory=dict)
    # Alias → name of the model it stands for.
    aliases: Mapping[str, str] = field(default_factory=dict)
    # Alias → the models that answer when that one cannot, in order; only of aliases that have some.
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    revision: int = -1
    loaded_at: float = 0.0
    # Epoch seconds of the last refresh that succeeded; None when there was none.
    refreshed_at: float | None = None
    # Shorter name → the names of the models that run somewhere and end so: `@cf/meta/llama` is
    # also `cf/meta/llama`, `meta/llama` and `llama`.
    short_names: Mapping[str, tuple[str, ...]] = field(init=False)
    # True while no model that Cloudflare still lists is known.
    is_empty: bool = field(init=False)

    def __post_init__(self) -> None:
        gone = all(record.retired for record in self.models.values())
        object.__setattr__(self, "is_empty", gone)
        found: dict[str, tuple[str, ...]] = {}
        for name, record in self.models.items():
            if record.enabled and record.endpoints and not record.retired:
                for short in _short_names(name):
                    found[short] = (*found.get(short, ()), name)
        object.__setattr__(self, "short_names", found)

    @property
    def is_read(self) -> bool:
        """False before the first look into the database."""
        return self.revision >= 0


def _short_names(name: str) -> Iterator[str]:
    """The name without its `@`, and what follows each of its slashes."""
    rest = name.removeprefix("@")
    if rest != name:
        yield rest
    while "/" in rest:
        rest = rest.partition("/")[2]
        if rest:
            yield rest


EMPTY = Snapshot()
_current = EMPTY


def current() -> Snapshot:
    return _current


def load() -> Snapshot:
    """Read the catalog from the database and make it the current one."""
    global _current
    # The number is read first: rows that change meanwhile have a later one and are read again.
    revision = current_revision()
    rows = list(CatalogModel.objects.all())
    snapshot = Snapshot(
        models={row.name: record_of(row) for row in rows},
        aliases=dict(Alias.objects.values_list("alias", "target__name")),
        fallbacks=_fallbacks(),
        revision=revision,
        loaded_at=time.time(),
        refreshed_at=max((row.last_seen_at.timestamp() for row in rows), default=None),
    )
    _current = snapshot
    return snapshot


def _fallbacks() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for alias, model in Fallback.objects.values_list("alias__alias", "target__name"):
        found[alias] = (*found.get(alias, ()), model)
    return found


def poll() -> bool:
    """Load the catalog when it changed since the last time; whether it did. One small query."""
    if current_revision() == _current.revision:
        return False
    load()
    return True


def record_of(row: CatalogModel) -> ModelRecord:
    classified = row.classified
    return ModelRecord(
        name=row.name,
        task=row.task,
        author=row.author,
        description=row.description,
        created=_epoch_s(row.created_at or row.first_seen_at),
        context_window=row.context_window,
        endpoints=classified.endpoints,
        refusals=classified.refusals,
        capabilities=classified.capabilities,
        image=classified.image,
        chat=classified.chat,
        embeddings=classified.embeddings,
        audio=classified.audio,
        decisions=classified.decisions,
        prices=row.effective_prices,
        price_source=row.effective_price_source,
        access=row.access,
        enabled=row.enabled,
        retired=row.retired_at is not None,
        planned_deprecation_date=row.planned_deprecation_date,
    )


def _epoch_s(moment: datetime) -> int:
    return max(0, int(moment.timestamp()))
