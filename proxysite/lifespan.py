"""What a worker starts before its first request and ends after its last."""

import asyncio
import logging

from django.conf import settings

from catalog import snapshot
from keys.ledger.writer import ledger
from keys.limits.process_counters import process_counters
from keys.sharing.process_lanes import lanes
from openai_api.upstream import close_client
from proxysite import garbage
from proxysite.alert_watch import AlertWatch
from proxysite.refresher import Refresher
from proxysite.telemetry import switch

logger = logging.getLogger(__name__)

# Between two looks for answers that wait for their rows for too long.
LEDGER_LOOK_S = 1.0


class Lifespan:
    """Fills the memory and runs the ledger between `start` and `stop`."""

    def __init__(self) -> None:
        self.refresher: Refresher | None = None
        self.alerts: AlertWatch | None = None
        self._next_look: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.refresher = Refresher(loop)
        await asyncio.to_thread(self.refresher.load)
        ledger.start()
        switch.start()
        self.refresher.start()
        self.alerts = AlertWatch()
        self.alerts.start()
        self._look_at_ledger(loop)
        # A Redis that cannot be used is told in the log now, not by the first key with a limit.
        await process_counters.look()
        garbage.keep_what_exists()
        if snapshot.current().is_empty:
            logger.warning(
                "The model catalog is empty: run manage.py refresh_catalog when Workers AI answers."
            )

    def _look_at_ledger(self, loop: asyncio.AbstractEventLoop) -> None:
        ledger.fail_late(settings.LEDGER_TIMEOUT)
        self._next_look = loop.call_later(LEDGER_LOOK_S, self._look_at_ledger, loop)

    async def stop(self) -> None:
        """Stops in an order that loses no row: the ledger after all that adds rows."""
        await close_client()
        if self._next_look is not None:
            self._next_look.cancel()
        if self.refresher is not None:
            await asyncio.to_thread(self.refresher.stop)
        if self.alerts is not None:
            await asyncio.to_thread(self.alerts.stop)
        ledger.shares.close_all()
        await asyncio.to_thread(ledger.stop, max(5.0, settings.STOP_GRACE))
        await process_counters.close()
        await lanes.close()
        # After all that books rows, and so ends requests.
        await asyncio.to_thread(switch.stop)


lifespan = Lifespan()
