"""A refresh from a page: on a thread of its own, since it may take longer than anybody waits."""

import logging
import threading

from django.db import connection

from catalog.errors import RefreshFailed
from catalog.models import RefreshRun
from catalog.refresh.run import refresh

logger = logging.getLogger(__name__)

# Most are over by then, and the page comes back with what they changed.
AT_ONCE_S = 1.5


def start(run: RefreshRun) -> None:
    """Returns when the run is over or goes on without anybody waiting."""
    thread = threading.Thread(target=_refresh, args=[run], name="catalog refresh", daemon=True)
    thread.start()
    thread.join(AT_ONCE_S)


def _refresh(run: RefreshRun) -> None:
    try:
        refresh(run=run)
    except RefreshFailed as error:
        logger.warning("The catalog was not refreshed: %s", error)
    except Exception:
        # Its run says so as well, and nobody else is there to be told.
        logger.exception("The catalog was not refreshed.")
    finally:
        connection.close()
