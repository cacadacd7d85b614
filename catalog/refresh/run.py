"""Bring the cached catalog up to date: fetch everything, then store it in one transaction.

`fetch` reads the list and the schemas it needs and touches no database. `store` compares, writes
and says what changed; it refuses an answer that cannot be the whole list. `refresh` does both and
leaves a `RefreshRun` behind, failed or not. Raises `RefreshFailed`; the catalog is then as it was.

A schema that stays unreadable does not spoil the rest: a known model keeps its classification, a
new one is stored but served by nothing until a later refresh reads it. Too many of them fail the
refresh.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from catalog.classify.by_task import classify, needs_schema, without_schema
from catalog.classify.facts import classification_to_json
from catalog.entry import (
    author_of,
    context_window_of,
    created_at_of,
    deprecation_date_of,
    description_of,
    name_of,
    task_of,
)
from catalog.errors import AnswerRefused, RefreshFailed, UpstreamFailed, shown
from catalog.models import Alias, CatalogChange, CatalogModel, RefreshRun, next_revision
from catalog.pricing import price_text, prices_from_json, prices_to_json
from catalog.published_prices import prices_of
from workers_ai import client as workers_ai_client
from workers_ai.errors import ModelMissing, WorkersAIError

SCHEMAS_AT_ONCE = 8
# More than this share of the schemas unreadable, or of the known models gone at once, says more
# about the answer than about the models.
MOST_SCHEMAS_FAILED_PERCENT = 25
MOST_MODELS_LOST_PERCENT = 25
RUNS_KEPT = 1000
PROGRESS_EVERY_S = 0.5


class Upstream(Protocol):
    """The two questions that a refresh asks of Cloudflare."""

    async def list_models(self) -> list[dict[str, Any]]: ...

    async def model_schema(self, name: str) -> dict[str, Any]: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """What Cloudflare answered, one usable entry by name."""

    entries: tuple[Mapping[str, Any], ...]
    schemas: Mapping[str, Mapping[str, Any]]
    # Model → why its schema could not be read.
    unread_schemas: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


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


# --- The whole refresh ------------------------------------------------------------------------


def refresh(
    *,
    force: bool = False,
    trigger: str = "command",
    connect: Callable[[], Upstream] | None = None,
    run: RefreshRun | None = None,
) -> Difference:
    """Fetch and store. `connect` is called inside the event loop that the client will live in, and
    `run` is where it is written how far this is."""
    if run is None:
        run = RefreshRun.objects.create(trigger=trigger, forced=force)
    try:
        # Its sync parts, which write the progress, run on this thread and its connection.
        fetched = async_to_sync(_fetched_through)(connect or _connect, RunProgress(run))
        # The network is done with: no transaction waits for it.
        return store(fetched, force=force, run=run)
    except Exception as error:
        failure = str(error) if isinstance(error, RefreshFailed) else type(error).__name__
        RefreshRun.objects.filter(pk=run.pk).update(
            finished_at=timezone.now(), ok=False, error=failure
        )
        raise


def _connect() -> Upstream:
    if not settings.CLOUDFLARE_ACCOUNT_ID:
        raise UpstreamFailed("CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN are not set.")
    return workers_ai_client.from_settings()


async def _fetched_through(connect: Callable[[], Upstream], progress: "RunProgress") -> Fetched:
    client = connect()
    try:
        return await fetch(client, progress)
    finally:
        await client.aclose()


class RunProgress:
    """Writes how far a refresh is, not more often than somebody could read it."""

    def __init__(self, run: RefreshRun) -> None:
        self._run = run
        self._next_at = 0.0

    async def listed(self, models: int, schemas: int) -> None:
        self._run.models_listed, self._run.schemas_wanted = models, schemas
        await self._write()

    async def schema_read(self) -> None:
        self._run.schemas_read += 1
        if time.monotonic() >= self._next_at:
            await self._write()

    async def _write(self) -> None:
        self._next_at = time.monotonic() + PROGRESS_EVERY_S
        await self._run.asave(update_fields=["models_listed", "schemas_wanted", "schemas_read"])


# --- Fetch ------------------------------------------------------------------------------------


async def fetch(client: Upstream, progress: RunProgress | None = None) -> Fetched:
    try:
        listed = await client.list_models()
    except WorkersAIError as error:
        raise UpstreamFailed(f"The list of models could not be read: {error}") from error
    entries, warnings = usable_entries(listed)
    names = [name_of(entry) for entry in entries if needs_schema(entry)]
    if progress is not None:
        await progress.listed(len(entries), len(names))
    schemas, unread = await _read_schemas(client.model_schema, names, progress)
    if len(unread) > len(names) * MOST_SCHEMAS_FAILED_PERCENT // 100:
        name, why = next(iter(unread.items()))
        raise UpstreamFailed(
            f"{len(unread)} of {len(names)} schemas could not be read, the first of {name}: {why}"
        )
    return Fetched(tuple(entries), schemas, unread, tuple(warnings))


def usable_entries(listed: Iterable[object]) -> tuple[list[Mapping[str, Any]], list[str]]:
    """The entries that name a model, the first of each name, fit for every database; and what was
    left out.
    """
    entries: dict[str, Mapping[str, Any]] = {}
    warnings: list[str] = []
    for position, raw in enumerate(listed, start=1):
        entry = storable(raw)
        name = name_of(entry)
        if not isinstance(entry, Mapping) or not name:
            warnings.append(f"Entry {position} of the list has no usable name and was left out.")
        elif name in entries:
            warnings.append(f"{name} is listed more than once; the first entry was taken.")
        else:
            entries[name] = entry
    return list(entries.values()), warnings


def storable(value: Any) -> Any:
    """The value as JSON that PostgreSQL takes: no NUL, no half surrogates, no NaN."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {storable(str(name)): storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    return value


async def _read_schemas(
    read: Callable[[str], Awaitable[dict[str, Any]]],
    names: Sequence[str],
    progress: RunProgress | None,
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Side by side, a few at a time; gives up early when too many fail."""
    schemas: dict[str, dict[str, Any]] = {}
    unread: dict[str, str] = {}
    most_failed = len(names) * MOST_SCHEMAS_FAILED_PERCENT // 100
    waiting = iter(names)

    async def read_waiting() -> None:
        for name in waiting:
            if len(unread) > most_failed:
                return
            try:
                schema = await read(name)
            except ModelMissing:
                # Cloudflare answered: it has no schema for this model, as it has an empty one for
                # others.
                schema = {}
            except WorkersAIError as error:
                unread[name] = str(error)
                continue
            schemas[name] = storable(schema) if isinstance(schema, dict) else {}
            if progress is not None:
                await progress.schema_read()

    await asyncio.gather(*(read_waiting() for _ in range(SCHEMAS_AT_ONCE)))
    return schemas, unread


# --- Store ------------------------------------------------------------------------------------


def store(fetched: Fetched, *, force: bool = False, run: RefreshRun | None = None) -> Difference:
    """All or nothing. Leaves the operator's fields alone; marks a model that is gone as retired."""
    now = timezone.now()
    with transaction.atomic():
        # Takes the lock that makes a second refresh wait, before anything is compared.
        next_revision()
        known = {row.name: row for row in CatalogModel.objects.all()}
        if not force:
            _refuse_partial(fetched, known)
        changes = [_stored(entry, fetched, known, now) for entry in fetched.entries]
        changes += _retire_missing(fetched, known, now)
        CatalogModel.objects.filter(retired_at__isnull=True).update(last_seen_at=now)
        difference = Difference(
            changes=tuple(sorted((c for c in changes if c), key=lambda change: change.name)),
            warnings=(*fetched.warnings, *_doubts(fetched, known)),
            models_listed=len(fetched.entries),
        )
        _record(difference, run, now)
    return difference


def _refuse_partial(fetched: Fetched, known: Mapping[str, CatalogModel]) -> None:
    if not fetched.entries:
        raise AnswerRefused("The list of models is empty; the catalog stays as it is.")
    live = {name for name, row in known.items() if row.retired_at is None}
    lost = live - {name_of(entry) for entry in fetched.entries}
    # One model less is ordinary however small the catalog is.
    if len(lost) > max(1, len(live) * MOST_MODELS_LOST_PERCENT // 100):
        raise AnswerRefused(
            f"The list lacks {len(lost)} of {len(live)} known models, which looks like part of a "
            "list; the catalog stays as it is. If they are really gone, refresh with --force."
        )


def _stored(
    entry: Mapping[str, Any],
    fetched: Fetched,
    known: Mapping[str, CatalogModel],
    now: Any,
) -> Change | None:
    name = name_of(entry)
    row = known.get(name)
    values = _columns(entry, fetched, row)
    if row is None:
        CatalogModel.objects.create(name=name, first_seen_at=now, last_seen_at=now, **values)
        endpoints = values["classification"].get("endpoints", [])
        return Change(name, "added", ", ".join(endpoints) or "served by no endpoint")
    what = _what_changed(row, values)
    has_returned = row.retired_at is not None
    if not what and not has_returned:
        return None
    for column, value in values.items():
        setattr(row, column, value)
    row.retired_at = None
    row.save(update_fields={*values, "retired_at"})
    kind = "returned" if has_returned else "price" if set(what) == {"price"} else "changed"
    return Change(name, kind, _change_text(what), what)


def _columns(
    entry: Mapping[str, Any], fetched: Fetched, row: CatalogModel | None
) -> dict[str, Any]:
    name = name_of(entry)
    if name not in fetched.unread_schemas:
        classification = classification_to_json(classify(entry, fetched.schemas.get(name, {})))
    elif row is not None and row.classification:
        classification = row.classification
    else:
        classification = classification_to_json(without_schema(entry))
    prices, price_source = prices_of(entry)
    return {
        "task": task_of(entry),
        "author": author_of(entry),
        "description": description_of(entry),
        "created_at": created_at_of(entry),
        "entry": dict(entry),
        "classification": classification,
        "prices": prices_to_json(prices),
        "price_source": price_source,
        "context_window": context_window_of(entry),
        "planned_deprecation_date": deprecation_date_of(entry),
    }


def _retire_missing(
    fetched: Fetched, known: Mapping[str, CatalogModel], now: Any
) -> list[Change | None]:
    listed = {name_of(entry) for entry in fetched.entries}
    gone = [row for name, row in known.items() if name not in listed and row.retired_at is None]
    for row in gone:
        row.retired_at = now
        row.save(update_fields={"retired_at"})
    return [Change(row.name, "retired") for row in gone]


def _what_changed(row: CatalogModel, values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Field → [before, after], in words that an operator knows."""
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


def _change_text(what: Mapping[str, list[Any]]) -> str:
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


def _doubts(fetched: Fetched, known: Mapping[str, CatalogModel]) -> list[str]:
    """What was stored, but deserves the operator's eye."""
    doubts = [
        f"The schema of {name} could not be read ("
        + ("its last classification is kept" if name in known else "it is not served yet")
        + f"): {why}"
        for name, why in fetched.unread_schemas.items()
    ]
    for entry in fetched.entries:
        unmetered = prices_of(entry)[0].unmetered
        if unmetered:
            texts = ", ".join(repr(shown(wording)) for wording in unmetered)
            doubts.append(f"{name_of(entry)} has prices that cannot be metered: {texts}.")
    hidden = Alias.objects.filter(alias__in=[name_of(e) for e in fetched.entries])
    doubts += [
        f"The alias {alias} has the name of a model and no longer works; remove it."
        for alias in hidden.values_list("alias", flat=True)
    ]
    return doubts


def _record(difference: Difference, run: RefreshRun | None, now: Any) -> None:
    CatalogChange.objects.bulk_create(
        CatalogChange(
            at=now,
            model_name=change.name,
            kind=change.kind,
            what=dict(change.what),
            text=change.text,
            run=run,
        )
        for change in difference.changes
    )
    if run is None:
        return
    run.finished_at = timezone.now()
    run.ok = True
    run.summary = difference.summary
    run.warnings = list(difference.warnings)
    run.save()
    RefreshRun.objects.filter(pk__lte=run.pk - RUNS_KEPT).delete()
