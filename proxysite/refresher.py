"""One thread in each worker that loads changes of keys and catalog from the database into memory.

It polls every POLL_S seconds (a few tiny queries), which keeps the promise that a revoked key or a
disabled model is out of use on every worker within five seconds. Once a minute it also deletes
captured text and sessions whose time is over, and it gives memory back that large bodies used.
"""

import asyncio
import logging
import threading

from django.conf import settings
from django.db import connection
from django.db.utils import Error

from catalog import accounts, snapshot
from keys.access.key_index import index
from keys.access.signed_out import signed_out
from keys.ledger.captured_retention import CapturedSweep
from keys.reports.usage import neurons_by_account
from openai_api.wire.http_response import stop_streams_of_dead_keys
from proxysite.freed_memory import large_bodies
from proxysite.session_sweep import SessionSweep
from storage import migrated
from storage.words import engine_words

logger = logging.getLogger(__name__)

POLL_S = 2.0


class Refresher:
    """Starts, polls until stopped, ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stop = threading.Event()
        self._loaded = False
        self._captured_sweep = CapturedSweep()
        self._session_sweep = SessionSweep()
        self._thread = threading.Thread(target=self._run, name="refresher", daemon=True)
        self.healthy = True

    def load(self) -> None:
        """Reads everything once; on failure the thread goes on trying. Keys come last: no request
        is admitted before there is a catalog to serve it from."""
        try:
            problem = migrated.problem()
            if not problem:
                snapshot.load()
                index.load(settings.PROXY_API_KEY)
                self._loaded = True
            self._say(problem)
        except Error as error:
            self._say(engine_words(error))
        finally:
            connection.close()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            large_bodies.look()
            if not self._loaded:
                self.load()
                continue
            try:
                index.poll()
                signed_out.poll()
                snapshot.poll()
                if settings.CLOUDFLARE_ACCOUNTS:
                    accounts.note_used(neurons_by_account())
                self._say("")
                self._captured_sweep.look()
                self._session_sweep.look()
            except Exception as error:
                # Every exception: without this thread a revoked key would stay valid here.
                if isinstance(error, Error):
                    self._say(engine_words(error))
                else:
                    self._say(str(error).partition("\n")[0] or type(error).__name__, error)
                connection.close()
            self._loop.call_soon_threadsafe(stop_streams_of_dead_keys)
        connection.close()

    def _say(self, problem: str, unforeseen: Exception | None = None) -> None:
        if problem and self.healthy:
            logger.error("Keys and catalog cannot be read: %s", problem, exc_info=unforeseen)
        elif not problem and not self.healthy:
            logger.warning("The database answers again; keys and catalog are up to date.")
        self.healthy = not problem
        index.out_of_date = problem
