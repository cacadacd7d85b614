from collections.abc import Iterator

import pytest

from keys.alerting.limit_use import past


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """Of the days of another test."""
    past.clear()
    yield
    past.clear()
