"""Fetches Cloudflare's list of models, and the schema of each model that needs one.

Writes nothing to the database but the run's progress. Raises `UpstreamFailed`. A schema that cannot
be read is listed in `Fetched.unread_schemas`; only too many of them fail the refresh.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from catalog.classify.by_task import needs_schema
from catalog.entry import name_of
from catalog.errors import UpstreamFailed
from catalog.refresh.progress import RunProgress
from workers_ai.errors import ModelMissing, WorkersAIError

SCHEMAS_AT_ONCE = 8
# When more schemas than this cannot be read, something is wrong with upstream, not with models.
MOST_SCHEMAS_FAILED_PERCENT = 25


class Upstream(Protocol):
    """The part of the client that a refresh uses."""

    async def list_models(self) -> list[dict[str, Any]]: ...

    async def model_schema(self, name: str) -> dict[str, Any]: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """What Cloudflare answered, one usable entry for each name."""

    entries: tuple[Mapping[str, Any], ...]
    schemas: Mapping[str, Mapping[str, Any]]
    # Model → why its schema could not be read.
    unread_schemas: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


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
    """The entries that name a model, the first of each name, as every database can store them; and
    warnings about what was left out.
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
    """The value as JSON that PostgreSQL accepts: no NUL, no lone surrogates, no NaN."""
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
    """Concurrently, a few at a time; stops early when too many fail."""
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
