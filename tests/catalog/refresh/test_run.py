from typing import Any

import pytest

from alerts.models import Alert
from catalog.errors import RefreshFailed, UpstreamFailed
from catalog.models import CatalogModel, RefreshRun
from catalog.refresh.run import refresh
from tests.catalog.conftest import Refresh
from tests.catalog.entries import (
    FakeUpstream,
)
from workers_ai.errors import AccountFault, WorkersAIError


class Broken(WorkersAIError):
    pass


def stored() -> list[dict[str, Any]]:
    """All that a refresh may change, but for the time at which models were last seen."""
    rows = CatalogModel.objects.order_by("name").values()
    return [{k: v for k, v in row.items() if k not in ("last_seen_at", "revision")} for row in rows]


def test_the_client_is_closed(refreshed: Refresh, upstream: FakeUpstream) -> None:
    assert upstream.closed


def test_upstream_down_changes_nothing(refreshed: Refresh, upstream: FakeUpstream) -> None:
    before = stored()
    upstream.entries = Broken("no connection")
    with pytest.raises(UpstreamFailed, match="no connection"):
        refreshed()
    assert stored() == before
    assert upstream.closed


def test_missing_credentials_are_named(db: None, settings: Any) -> None:
    settings.CLOUDFLARE_ACCOUNT_ID = ""
    with pytest.raises(RefreshFailed, match="CLOUDFLARE_ACCOUNT_ID"):
        refresh()


def test_a_refresh_is_recorded(refreshed: Refresh) -> None:
    run = RefreshRun.objects.get()
    assert run.ok
    assert run.finished_at is not None
    assert run.summary == "4 models listed: 4 added."
    assert run.changes.count() == 4


def test_a_failed_refresh_is_recorded_too(refreshed: Refresh, upstream: FakeUpstream) -> None:
    upstream.entries = Broken("no connection")
    with pytest.raises(RefreshFailed):
        refreshed(trigger="admin")
    run = RefreshRun.objects.first()
    assert run is not None
    assert (run.ok, run.trigger) == (False, "admin")
    assert "no connection" in run.error


def test_refused_access_is_told_by_alert(refreshed: Refresh, upstream: FakeUpstream) -> None:
    upstream.entries = AccountFault("account 0123 may not", status=403, code=10000)
    for _ in range(2):
        with pytest.raises(RefreshFailed):
            refreshed()
    alert = Alert.objects.get()
    assert alert.event == "access_refused" and "HTTP 403, code 10000" in alert.text
    assert "0123" not in alert.text
