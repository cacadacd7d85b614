"""The items of the ledger's queue, and how their futures are resolved."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from keys.ledger.claims import Amounts, Claim, Decision
from keys.ledger.rows import LedgerRow
from keys.ledger.totals import Names, Place

Refusals = dict[tuple[Place, Names, str], int]


@dataclass(slots=True)
class Waiting:
    """One item of the queue. An item with only a future resolves once all before it is
    committed."""

    future: "asyncio.Future[Any] | None" = None
    queued_at: float = field(default_factory=time.monotonic)
    row: LedgerRow | None = None
    values: tuple[Any, ...] | None = None
    claim: Claim | None = None
    decision: Decision = None
    # The claim as it was reserved.
    held: Claim | None = None
    released: uuid.UUID | None = None
    # What leaves a share (`shares.py`), by its id; and whether nobody takes from it any more.
    unshared: tuple[uuid.UUID, Amounts] | None = None
    ends_share: bool = False
    refusals: Refusals | None = None
    # An earlier try had an unknown outcome.
    tried: bool = False

    @property
    def is_durable(self) -> bool:
        """Whether it must be written exactly once, and be on the disk before its future resolves.

        Reservations need neither. They survive the end of a process, and a crash of the machine
        ends their requests as well, so a request with a budget waits for the disk once and not
        twice. Reserving or releasing is idempotent; to take something out of a share is not."""
        return self.values is not None or self.unshared is not None or self.refusals is not None


Told = list[tuple["asyncio.Future[Any]", Decision]]


def resolve_futures(group: list[Waiting], failure: Callable[[], Exception] | None = None) -> None:
    """Resolves the futures of a group with one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, Told] = {}
    for waiting in group:
        if waiting.future is not None:
            told = by_loop.setdefault(waiting.future.get_loop(), [])
            told.append((waiting.future, waiting.decision))
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, told, failure)
        except RuntimeError:
            # The loop is closed: nobody waits any more, and the rows are committed.
            continue


def _resolve(told: Told, failure: Callable[[], Exception] | None) -> None:
    for future, result in told:
        if future.done():
            continue
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure())
