"""A refresh begun from a page: on a thread of its own, as it may take longer than a page may."""

import logging
import threading

from django.db import connection

from catalog.errors import RefreshFailed
from catalog.models import RefreshRun
from catalog.refresh.run import refresh

logger = logging.getLogger(__name__)

# Most refreshes end within this time, so that the page can show what they changed.
AT_ONCE_S = 1.5


def start(run: RefreshRun) -> None:
    """Returns when the run is over, or after AT_ONCE_S while it goes on."""
    thread = threading.Thread(target=_refresh, args=[run], name="catalog refresh", daemon=True)
    thread.start()
    thread.join(AT_ONCE_S)


def _refresh(run: RefreshRun) -> None:
    try:
        refresh(run=run)
    except RefreshFailed as error:
        logger.warning("The catalog was not refreshed: %s", error)
    except Exception:
        # Its run has the error too; a thread has no caller to raise it to.
        logger.exception("The catalog was not refreshed.")
    finally:
        connection.close()
