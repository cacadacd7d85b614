"""Makes the write of a group idempotent: a row of `LedgerMark` has the number of the last group.

The number is updated in the group's transaction. A writer that lost its connection during a commit
reads whether the group was committed, so that no group is written twice.
"""

import os
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils import timezone

from keys.ledger.transaction import GroupTransaction
from keys.models import LedgerMark

# Longer than any outage after which a writer may still have a group of unknown outcome.
MARKS_KEPT: Final = timedelta(days=7)


class WriterMark:
    def __init__(self) -> None:
        self.writer = uuid.uuid4()
        # How many durable groups are committed.
        self.groups_in = 0
        self._pid = os.getpid()

    def renew_after_fork(self) -> None:
        """Take a new mark in a forked process: two processes must not update the same one."""
        if self._pid != os.getpid():
            self.writer, self._pid = uuid.uuid4(), os.getpid()
            self.groups_in = 0

    def ensure(self) -> None:
        """Make the row, outside of any group's transaction, so that `move` always has a row to
        lock."""
        LedgerMark.objects.get_or_create(
            writer=self.writer,
            defaults={"group_number": self.groups_in, "written_at": timezone.now()},
        )
        LedgerMark.objects.filter(written_at__lt=timezone.now() - MARKS_KEPT).exclude(
            writer=self.writer
        ).delete()

    def move(self, transaction: GroupTransaction) -> bool:
        """Set the mark to the next group. False if an earlier try of that group was committed.

        If the database is still executing the earlier try, the row's lock makes this one wait.
        """
        number, now = self.groups_in + 1, datetime.now(UTC)
        moved = transaction.count_changed(
            "UPDATE keys_ledgermark SET group_number = ?, written_at = ? "
            "WHERE writer = ? AND group_number = ?",
            (number, transaction.moment(now), transaction.id(self.writer), number - 1),
        )
        if moved == 1:
            return True
        mine = LedgerMark.objects.filter(writer=self.writer)
        if mine.filter(group_number=number).exists():
            return False
        # The table was emptied, or restored from a backup.
        LedgerMark.objects.update_or_create(
            writer=self.writer, defaults={"group_number": number, "written_at": now}
        )
        return True
