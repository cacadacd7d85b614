from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.catalog.conftest import Refresh
from tests.catalog.entries import FakeUpstream


@pytest.fixture(autouse=True)
def _catalog(refreshed: Refresh) -> None:
    """Every test begins with the small catalog."""


@pytest.fixture
def admin_user(db: None) -> User:
    """Signed in without a password: hashing one for every test costs more than the tests."""
    return User.objects.create(username="operator", is_staff=True, is_superuser=True)


@pytest.fixture
def connected(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CLOUDFLARE_ACCOUNT_ID = "0" * 32
    monkeypatch.setattr("workers_ai.configured.client_from_settings", lambda: upstream)


@pytest.fixture
def slow_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page waits for the end of a refresh, however slow the machine is."""
    monkeypatch.setattr("catalog.refresh.in_background.AT_ONCE_S", 30.0)
