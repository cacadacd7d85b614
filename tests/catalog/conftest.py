from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from catalog import snapshot
from catalog.refresh.difference import Difference
from catalog.refresh.run import refresh
from tests.catalog.entries import FakeUpstream, small_catalog

Refresh = Callable[..., Difference]


@pytest.fixture(autouse=True)
def _empty_snapshot() -> Iterator[None]:
    snapshot._current = snapshot.EMPTY
    yield
    snapshot._current = snapshot.EMPTY


@pytest.fixture
def upstream() -> FakeUpstream:
    return small_catalog()


@pytest.fixture
def refreshed(upstream: FakeUpstream, db: Any) -> Refresh:
    """Refresh from the fake upstream; already done once."""

    def again(**options: Any) -> Difference:
        return refresh(connect=lambda: upstream, **options)

    again()
    return again


@pytest.fixture
def client() -> Client:
    """A browser that is not signed in; the root's `client` speaks to a live gateway."""
    return Client()
