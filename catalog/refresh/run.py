"""Bring the cached catalog up to date: fetch everything, then store it in one transaction.

Leaves a `RefreshRun` behind, failed or not. Raises `RefreshFailed`; the catalog is then as it was.
"""

from collections.abc import Callable

from asgiref.sync import async_to_sync
from django.conf import settings
from django.utils import timezone

from alerts import store as store_alerts
from catalog.errors import RefreshFailed, UpstreamFailed
from catalog.models import RefreshRun
from catalog.refresh.difference import Difference
from catalog.refresh.fetch import Fetched, Upstream, fetch
from catalog.refresh.progress import RunProgress
from catalog.refresh.store import store
from catalog.refused_access import refused_access
from storage.words import engine_words
from workers_ai import configured
from workers_ai.errors import AccountFault


def refresh(
    *,
    force: bool = False,
    trigger: str = "command",
    connect: Callable[[], Upstream] | None = None,
    run: RefreshRun | None = None,
) -> Difference:
    """Fetch and store. `connect` is called inside the event loop that the client will belong to;
    progress is written to `run`."""
    if run is None:
        run = RefreshRun.objects.create(trigger=trigger, forced=force)
    try:
        # Its sync parts, which write the progress, run on this thread and its connection.
        fetched, refused = async_to_sync(_fetched_through)(connect or _connect, RunProgress(run))
        for account, fault in refused.items():
            moment = timezone.now()
            store_alerts.tell(refused_access(fault.status, fault.code, moment, account))
        # All network calls are over: no transaction waits for one.
        return store(fetched, force=force, run=run)
    except Exception as error:
        failure = str(error) if isinstance(error, RefreshFailed) else engine_words(error)
        RefreshRun.objects.filter(pk=run.pk).update(
            finished_at=timezone.now(), ok=False, error=failure
        )
        if isinstance(error.__cause__, AccountFault):
            fault = error.__cause__
            moment = timezone.now()
            store_alerts.tell(refused_access(fault.status, fault.code, moment, fault.account))
        raise


def _connect() -> Upstream:
    if not settings.CLOUDFLARE_ACCOUNT_ID:
        raise UpstreamFailed("CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN are not set.")
    return configured.client_from_settings()


async def _fetched_through(
    connect: Callable[[], Upstream], progress: RunProgress
) -> tuple[Fetched, dict[str, AccountFault]]:
    """What was fetched, and which of several accounts refused it."""
    client = connect()
    try:
        return await fetch(client, progress), getattr(client, "refused", {})
    finally:
        await client.aclose()
