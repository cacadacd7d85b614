"""What waits for the ledger's thread, and how those who wait for it are told."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from keys.ledger.claims import Claim, Decision
from keys.ledger.rows import LedgerRow
from keys.ledger.totals import Names, Place

Refusals = dict[tuple[Place, Names, str], int]


@dataclass(slots=True)
class Waiting:
    """One thing to do. With nothing to do at all: to be told when all before it is in."""

    future: "asyncio.Future[Any] | None" = None
    queued_at: float = field(default_factory=time.monotonic)
    row: LedgerRow | None = None
    values: tuple[Any, ...] | None = None
    claim: Claim | None = None
    decision: Decision = None
    released: uuid.UUID | None = None
    refusals: Refusals | None = None
    # The outcome of an earlier try is not known.
    tried: bool = False

    @property
    def lasts(self) -> bool:
        """It must be in once and not twice, and on the disk before anybody is told.

        Of reservations neither is asked. They outlive the death of any process, and at the
        machine's own death the requests are gone with them: that spares a request with a budget
        one of its two waits for the disk. And setting the same aside again, or freeing it again,
        changes nothing."""
        return self.values is not None or self.refusals is not None


Told = list[tuple["asyncio.Future[Any]", Decision]]


def resolve_futures(group: list[Waiting], failure: Callable[[], Exception] | None = None) -> None:
    """One call into each loop for the whole group."""
    by_loop: dict[asyncio.AbstractEventLoop, Told] = {}
    for waiting in group:
        if waiting.future is not None:
            told = by_loop.setdefault(waiting.future.get_loop(), [])
            told.append((waiting.future, waiting.decision))
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, told, failure)
        except RuntimeError:
            # The loop is closed: nobody is left to be told, and the rows are in.
            continue


def _resolve(told: Told, failure: Callable[[], Exception] | None) -> None:
    for future, result in told:
        if future.done():
            continue
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure())
