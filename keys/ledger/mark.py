"""Which groups of one ledger writer are in: its row of `LedgerMark`, which moves with each group.

A writer that lost its connection at a commit reads there whether the group is in, so that no group
is written twice.
"""

import os
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils import timezone

from keys.ledger.transaction import GroupTransaction
from keys.models import LedgerMark

# Longer than any outage through which a writer could hold a group of unknown outcome.
MARKS_KEPT: Final = timedelta(days=7)


class WriterMark:
    def __init__(self) -> None:
        self.writer = uuid.uuid4()
        # Of those that last.
        self.groups_in = 0
        self._pid = os.getpid()

    def renew_after_fork(self) -> None:
        """Two processes must not move the same mark."""
        if self._pid != os.getpid():
            self.writer, self._pid = uuid.uuid4(), os.getpid()
            self.groups_in = 0

    def ensure(self) -> None:
        """Outside of any group's transaction, so that `move` always has a row to wait for."""
        LedgerMark.objects.get_or_create(
            writer=self.writer,
            defaults={"group_number": self.groups_in, "written_at": timezone.now()},
        )
        LedgerMark.objects.filter(written_at__lt=timezone.now() - MARKS_KEPT).exclude(
            writer=self.writer
        ).delete()

    def move(self, transaction: GroupTransaction) -> bool:
        """Move this writer's mark to the group. False if an earlier try of it did get in.

        The condition makes a second try wait for the first, should the database still be at it.
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
        # Somebody emptied the table, or put back a backup of it.
        LedgerMark.objects.update_or_create(
            writer=self.writer, defaults={"group_number": number, "written_at": now}
        )
        return True
