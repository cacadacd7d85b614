"""Running ledgers on a clock that stands at noon until a test sets it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from keys.ledger.writer import LedgerWriter
from tests.keys.factories import Clock

NOON = datetime(2027, 5, 10, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def writers(clock: Clock) -> Iterator[Callable[..., LedgerWriter]]:
    """Makes running ledgers and stops those that a test leaves running."""
    made: list[LedgerWriter] = []

    def make(kind: type[LedgerWriter] = LedgerWriter, **options: Any) -> LedgerWriter:
        made.append(kind(**{"clock": clock, **options}))
        made[-1].start()
        return made[-1]

    yield make
    for writer in made:
        writer.stop(5)
