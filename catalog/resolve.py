"""Which model a request means, and whether it may run. One rule decides for the list and for runs.

In: the name a client gave, the endpoint, what the key allows. Out: the model's record. Raises the
errors of `catalog.errors`. A model's own name comes first, then aliases, then a model's name
without its `@` or its first parts, where one model alone has it; the case always matters. An alias
may have the name of a model that is gone. Behind the model of an alias stand its fallbacks.
"""

import difflib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from django.conf import settings

from catalog import breaker
from catalog import snapshot as snapshots
from catalog.errors import (
    AmbiguousName,
    CatalogEmpty,
    CatalogError,
    ModelDisabled,
    ModelNotAllowed,
    ModelNotFound,
    ModelRetired,
    NeedsInputImage,
    NotRunnable,
    UnpricedModel,
    WrongEndpoint,
)
from catalog.snapshot import ModelRecord, Snapshot

Allows = Callable[[str], bool]

# The order of the list. What chats is also served by the other dialects.
KINDS = (
    "chat",
    "completions",
    "images",
    "image_edits",
    "embeddings",
    "rerank",
    "transcriptions",
    "translations",
    "speech",
    "moderations",
    "decisions",
)

# A longer name is no typing mistake, and comparing it costs time.
LONGEST_COMPARED = 120
# Where few models can do something, a refusal names them; where many can, the list does.
MOST_NAMED_INSTEAD = 4
MOST_CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of the model list: a model, or an alias with the facts of its model."""

    id: str
    record: ModelRecord
    # Those of the endpoints asked about that can run it.
    endpoints: frozenset[str]
    is_alias: bool = False


def why_not(
    record: ModelRecord, endpoint: str, allows: Allows, *, called: str | None = None
) -> CatalogError | None:
    """Why the model may not run at the endpoint with this key; None when it may.

    `called` is the name the client used. A key that allows an alias may use its model by that
    alias, whatever it stands for today; a key that allows the model may use every alias of it.
    """
    name = called or record.name
    if record.retired:
        return ModelRetired(name)
    if not record.enabled:
        return ModelDisabled(name)
    if not allows(name) and not allows(record.name):
        return ModelNotAllowed(name)
    if not record.prices.is_known and not settings.ALLOW_UNPRICED_MODELS:
        return UnpricedModel(name)
    if endpoint in record.endpoints:
        return None
    reason = record.refusals.get(endpoint)
    if reason is None:
        return WrongEndpoint(name, endpoint, record.endpoints)
    if record.image and record.image.needs_image:
        return NeedsInputImage(name, endpoint, reason)
    return NotRunnable(name, endpoint, reason)


def resolve(
    name: str, *, endpoint: str, allows: Allows, snapshot: Snapshot | None = None
) -> ModelRecord:
    """The model that `name` means and that the endpoint may run for this key."""
    snapshot = snapshot or snapshots.current()
    if snapshot.is_empty and _find(snapshot, name) is None:
        raise CatalogEmpty
    record, allows_called = _found(snapshot, name, allows)
    refusal = why_not(record, endpoint, allows_called, called=name)
    if name in snapshot.fallbacks and (refusal is not None or breaker.rests(record.name)):
        others = standbys(name, endpoint=endpoint, allows=allows, snapshot=snapshot)
        if others and (refusal is not None or not breaker.rests(others[0].name)):
            return others[0]
    if type(refusal) is NotRunnable:
        able = listing(served=(endpoint,), allows=allows, snapshot=snapshot)
        if len(able) <= MOST_NAMED_INSTEAD:
            names = [entry.id for entry in able]
            raise NotRunnable(name, endpoint, refusal.reason, instead=names)
    if refusal is not None:
        raise refusal
    return record


def has_fallbacks(name: str) -> bool:
    return name in snapshots.current().fallbacks


def standbys(
    name: str,
    *,
    endpoint: str,
    allows: Allows,
    tried: Collection[str] = (),
    snapshot: Snapshot | None = None,
) -> list[ModelRecord]:
    """The other models that the endpoint may run for `name`, an alias, in the order in which to try
    them: those that failed a moment ago come last. Without those in `tried`.
    """
    snapshot = snapshot or snapshots.current()
    if name not in snapshot.fallbacks:
        return []
    able = [
        record
        for record in _meant(snapshot, name)
        if record.name not in tried and why_not(record, endpoint, allows, called=name) is None
    ]
    return sorted(able, key=lambda record: breaker.rests(record.name))


def newest(
    *, endpoint: str, called: str, allows: Allows, snapshot: Snapshot | None = None
) -> ModelRecord:
    """The newest model that the endpoint may run for this key, for the name `called`, which is no
    model's but stands for whatever the endpoint has.
    """
    snapshot = snapshot or snapshots.current()
    able = [record for record in snapshot.models.values() if endpoint in record.endpoints]
    able.sort(key=lambda record: (record.created, record.name), reverse=True)
    refusal: CatalogError | None = None
    for record in able:
        refusal = why_not(record, endpoint, allows, called=called)
        if refusal is None:
            return record
    if snapshot.is_empty:
        raise CatalogEmpty
    raise refusal or ModelNotFound(called)


def listing(
    *,
    served: Collection[str],
    protocol_endpoint: str | None = None,
    allows: Allows,
    snapshot: Snapshot | None = None,
) -> list[Listed]:
    """Everything that at least one of the served endpoints may run for this key: chat models first,
    as programs take the first entry for a chat, then the other kinds, each by id.
    """
    snapshot = snapshot or snapshots.current()
    asked = frozenset(served)
    if protocol_endpoint is not None:
        asked &= {protocol_endpoint}
    entries = (_entry(snapshot, name, asked, allows) for name in _names(snapshot))
    return sorted((entry for entry in entries if entry), key=_place)


def listed(
    name: str, *, served: Collection[str], allows: Allows, snapshot: Snapshot | None = None
) -> Listed:
    """The one entry of `listing` with this id, which may be shortened as in a request."""
    snapshot = snapshot or snapshots.current()
    own_name = name
    if _find(snapshot, name) is None:
        own_name = _found(snapshot, name, allows)[0].name
    entry = _entry(snapshot, own_name, frozenset(served), allows)
    if entry is None:
        raise ModelNotFound(name, near_matches(snapshot, name, allows))
    return entry


def near_matches(snapshot: Snapshot, name: str, allows: Allows) -> list[str]:
    """Up to three names that the client may have meant, out of those it may know of."""
    if len(name) > LONGEST_COMPARED:
        return []
    # Clients leave out the author or the prefix more often than they mistype the model itself.
    tails: dict[str, list[str]] = {}
    for known in _names(snapshot):
        record = _find(snapshot, known)
        if record is None or record.retired or not record.enabled or not record.endpoints:
            continue
        if allows(known) or allows(record.name):
            tails.setdefault(known.rsplit("/", 1)[-1].lower(), []).append(known)
    close = difflib.get_close_matches(name.rsplit("/", 1)[-1].lower(), tails, n=3, cutoff=0.6)
    return [known for tail in close for known in tails[tail]][:3]


def _found(snapshot: Snapshot, name: str, allows: Allows) -> tuple[ModelRecord, Allows]:
    """The model that is called `name`, and which names the key allows it by.

    Raises ModelNotFound, and AmbiguousName with the candidates that the key may know of. A shorter
    name gives no rights: for it the model's own name must be allowed.
    """
    record = _find(snapshot, name)
    if record is not None:
        return record, allows
    named = snapshot.short_names.get(name, ())
    if len(named) == 1:
        own_name = named[0]
        return snapshot.models[own_name], lambda called: allows(own_name)
    candidates = sorted(candidate for candidate in named if allows(candidate))
    if candidates:
        raise AmbiguousName(name, candidates[:MOST_CANDIDATES])
    raise ModelNotFound(name, near_matches(snapshot, name, allows))


def _place(entry: Listed) -> tuple[int, str]:
    kinds = (KINDS.index(kind) for kind in entry.record.endpoints if kind in KINDS)
    return min(kinds, default=len(KINDS)), entry.id


def _find(snapshot: Snapshot, name: str) -> ModelRecord | None:
    """A model's own name comes before an alias that is older than the model, unless it is gone."""
    record = snapshot.models.get(name)
    if record is None or (record.retired and name in snapshot.aliases):
        record = snapshot.models.get(snapshot.aliases.get(name, ""), record)
    return record


def _meant(snapshot: Snapshot, name: str) -> Iterator[ModelRecord]:
    """The model of a name, then the fallbacks of an alias. A model that still has the name of an
    alias is meant alone.
    """
    record = _find(snapshot, name)
    if record is None:
        return
    yield record
    if record.name == name:
        return
    for fallback in snapshot.fallbacks.get(name, ()):
        if fallback in snapshot.models and fallback != record.name:
            yield snapshot.models[fallback]


def _names(snapshot: Snapshot) -> Iterator[str]:
    yield from snapshot.models
    yield from (alias for alias in snapshot.aliases if alias not in snapshot.models)


def _entry(snapshot: Snapshot, name: str, asked: frozenset[str], allows: Allows) -> Listed | None:
    """The facts are those of the first model of the name that runs at all."""
    for record in _meant(snapshot, name):
        runnable = frozenset(
            endpoint
            for endpoint in asked & record.endpoints
            if why_not(record, endpoint, allows, called=name) is None
        )
        if runnable:
            return Listed(name, record, runnable, is_alias=name != record.name)
    return None
