"""`manage.py prune_logs --older-than 90d`: deletes old request log rows in batches, with their
captured text, and captured text that is overdue."""

import argparse
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from keys.amounts import duration_from_text
from keys.ledger.captured_retention import delete_overdue
from keys.log.progress import Progress
from keys.models import PruneMark, RequestLog

# Few enough to hardly delay the ledger, which waits meanwhile on SQLite.
BATCH_ROWS: Final = 500


class Command(BaseCommand):
    help = "Deletes request log rows older than a given age, and captured text, in batches."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        days = settings.LOG_RETENTION_DAYS
        parser.add_argument(
            "--older-than",
            default=f"{days}d" if days else None,
            required=not days,
            metavar="AGE",
            help="such as 90d or 12w (default: LOG_RETENTION_DAYS, when that is set)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            before = timezone.now() - duration_from_text(options["older_than"])
        except (ValueError, OverflowError):
            raise CommandError(
                f"--older-than is {options['older_than']!r}: it takes an age such as 90d or 12w."
            ) from None
        # Before the rows, without which the texts could not be found.
        texts = self._delete(delete_overdue(timezone.now(), before=before), "texts deleted")
        # First, so that `check_ledger` never compares totals with a partly pruned day.
        if RequestLog.objects.filter(started_at__lt=before).exists():
            PruneMark.move_to(before)
        rows = self._delete(_delete_oldest(before), "rows deleted")
        self.stdout.write(f"Deleted {rows} rows from before {before:%Y-%m-%d %H:%M} UTC.")
        if texts:
            self.stdout.write(f"Deleted {texts} captured texts.")

    def _delete(self, batches: Iterable[int], what: str) -> int:
        deleted = 0
        with Progress(self.stderr, what) as progress:
            begun_at = time.monotonic()
            for batch in batches:
                deleted += batch
                progress.add(batch)
                # Pause, or this loop would take SQLite's lock again before anybody else gets it.
                time.sleep(time.monotonic() - begun_at)
                begun_at = time.monotonic()
        return deleted


def _delete_oldest(before: datetime) -> Iterator[int]:
    while ids := oldest_ids(before):
        yield RequestLog.objects.filter(pk__in=ids).delete()[0]


def oldest_ids(before: datetime) -> list[int]:
    rows = RequestLog.objects.filter(started_at__lt=before).order_by("started_at", "id")
    return list(rows.values_list("pk", flat=True)[:BATCH_ROWS])
