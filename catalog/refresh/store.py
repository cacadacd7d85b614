"""Compares what was fetched with what is stored, writes it and records what changed, in one
transaction.

Refuses an answer that cannot be the complete list (`AnswerRefused`). A known model whose schema
could not be read keeps its classification; a new one is stored, but no endpoint runs it until a
later refresh reads it.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from catalog.classify.by_task import classify, without_schema
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
from catalog.errors import AnswerRefused, shown
from catalog.models import Alias, CatalogChange, CatalogModel, RefreshRun, next_revision
from catalog.pricing.prices import prices_to_json
from catalog.pricing.published import prices_of
from catalog.refresh.difference import Change, Difference, change_text, what_changed
from catalog.refresh.fetch import Fetched

# When more of the known models than this are missing at once, the answer is not complete.
MOST_MODELS_LOST_PERCENT = 25
RUNS_KEPT = 1000


def store(fetched: Fetched, *, force: bool = False, run: RefreshRun | None = None) -> Difference:
    """Atomic. Does not change the operator's fields; marks a model that is gone as retired."""
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
    what = what_changed(row, values)
    has_returned = row.retired_at is not None
    if not what and not has_returned:
        return None
    for column, value in values.items():
        setattr(row, column, value)
    row.retired_at = None
    row.save(update_fields={*values, "retired_at"})
    kind = "returned" if has_returned else "price" if set(what) == {"price"} else "changed"
    return Change(name, kind, change_text(what), what)


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


def _doubts(fetched: Fetched, known: Mapping[str, CatalogModel]) -> list[str]:
    """Warnings about what was stored and needs the operator's attention."""
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
