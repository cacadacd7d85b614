"""Deletes captured text after the number of days that its key says, as it is set at that time.

Text of a deleted key is deleted as well. Rows are deleted in batches, each short enough to hardly
delay the ledger, which waits meanwhile on SQLite.
"""

import logging
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from keys.models import CapturedText, Key
from storage.words import engine_words

logger = logging.getLogger(__name__)

BATCH_ROWS: Final = 500
SWEEP_EVERY_S: Final = 60.0
LONGEST_ON_A_PAGE_S: Final = 10.0


def delete_overdue(now: datetime, *, before: datetime | None = None) -> Iterator[int]:
    """Deletes texts that are overdue, and all from `before` that moment; yields batch sizes."""
    for key_id in _keys_with_text():
        key = Key.objects.filter(pk=key_id).first()
        texts = CapturedText.objects.filter(key_id=key_id)
        if key is not None:
            end = now - timedelta(days=key.kept_capture_days)
            texts = texts.filter(started_at__lt=end if before is None else max(end, before))
        yield from _in_batches(texts)


def delete_of_key(key: Key) -> tuple[int, bool]:
    """Deletes text of a key for a limited time. Returns of how many requests, and whether that
    was all."""
    texts = CapturedText.objects.filter(key_id=key.pk)
    deleted = 0
    began_at = begun_at = time.monotonic()
    for batch in _in_batches(texts):
        deleted += batch
        # Pause, or this loop would take SQLite's lock again before anybody else gets it.
        time.sleep(time.monotonic() - begun_at)
        begun_at = time.monotonic()
        if begun_at - began_at > LONGEST_ON_A_PAGE_S:
            return deleted, not texts.exists()
    return deleted, True


def delete_all_of_key(key_id: int) -> Iterator[int]:
    """Yields sizes of batches."""
    yield from _in_batches(CapturedText.objects.filter(key_id=key_id))


def _keys_with_text() -> Iterator[int]:
    """Reads the index once for each key instead of once for each text."""
    texts = CapturedText.objects.order_by("key_id").values_list("key_id", flat=True)
    key_id = texts.first()
    while key_id is not None:
        yield key_id
        key_id = texts.filter(key_id__gt=key_id).first()


def _in_batches(texts: QuerySet[CapturedText]) -> Iterator[int]:
    oldest_first = texts.order_by("started_at").values_list("pk", flat=True)
    while ids := list(oldest_first[:BATCH_ROWS]):
        yield CapturedText.objects.filter(pk__in=ids).delete()[0]


class CapturedSweep:
    """Deletes overdue text while the gateway runs, a batch at a time. Any worker may do it."""

    def __init__(self) -> None:
        self._due_at = 0.0

    def look(self) -> None:
        if time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + SWEEP_EVERY_S
        try:
            next(delete_overdue(timezone.now()), 0)
        except DatabaseError as error:
            # It is tried again soon, here and by every other worker.
            logger.debug("Captured text was not deleted: %s", engine_words(error))
