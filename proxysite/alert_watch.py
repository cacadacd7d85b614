"""One thread in each worker that looks for what should be told, and sends it.

Every LOOK_S seconds: what requests noted goes into the database, what waits there is sent, and one
worker of all evaluates the rules. Nothing here is in the way of a request: the thread has its own
connection for each look, and its own loop for what it sends.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.utils import Error
from django.utils import timezone

from alerts import noted, store, turns
from alerts.delivery import Deliverer
from alerts.outage import OutageTeller
from keys.alerting import limits
from keys.ledger.writer import ledger
from keys.limits import budget_refusals
from proxysite.alert_rules import evaluate
from storage.words import engine_words, public_words

logger = logging.getLogger(__name__)

LOOK_S: Final = 5.0
RULES_EVERY: Final = timedelta(seconds=20)
# So many times as long as the rules took they rest, whatever RULES_EVERY says.
REST: Final = 50
PRUNE_EVERY: Final = timedelta(hours=1)


class AlertWatch:
    """Starts, looks until stopped, ends."""

    def __init__(self, ledger_problem: Callable[[], str] = lambda: ledger.health().problem) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._ledger_problem = ledger_problem
        self._database_problem = ""
        self._outage = OutageTeller()
        self._deliverer = Deliverer()
        self._failed = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.look()
            except Exception as error:
                # Every exception: without this thread nobody would be told anything any more.
                self._say(type(error).__name__, error)

    def look(self) -> None:
        problem = self._ledger_problem() or self._database_problem
        self._outage.look(problem)
        try:
            self._outage.keep(is_over=not problem)
            for finding in (*noted.take(), *limits.refused(budget_refusals.take())):
                store.tell(finding)
            self._evaluate(timezone.now())
            self._deliverer.look()
            self._database_problem = ""
            self._say("")
        except Error as error:
            self._database_problem = public_words(error)
            self._say(engine_words(error))
        finally:
            connection.close()

    def _evaluate(self, now: datetime) -> None:
        if turns.take("prune", PRUNE_EVERY, now):
            store.prune(now)
        if not turns.take("rules", RULES_EVERY, now):
            return
        began = time.monotonic()
        evaluate(now)
        rest = timedelta(seconds=REST * (time.monotonic() - began))
        if rest > RULES_EVERY:
            turns.put_off("rules", now + rest)

    def _say(self, problem: str, unforeseen: Exception | None = None) -> None:
        if problem and problem != self._failed:
            logger.warning("Alerts cannot be looked after: %s", problem, exc_info=unforeseen)
        self._failed = problem
