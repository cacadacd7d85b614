"""What the server log says of a failure: what callers are not told, and outages not too often."""

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

from django.db.utils import Error as DatabaseError

from alerts import noted
from catalog.refused_access import refused_access, refused_by_ai_gateway
from openai_api.errors.rules import rule_for
from openai_api.errors.tree import ApiError
from storage.words import engine_words
from workers_ai.errors import AccountFault, PolicyDenied, SpendLimitReached

logger = logging.getLogger(__name__)


class Outages:
    """Limits how often one outage is logged. Each refused request has its line in the access log
    anyway; a thousand a second must not fill the disk with the same sentence.
    """

    EVERY_S = 10.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}  # last logged at, not logged since

    def unsaid(self, name: str) -> int | None:
        """How many failures before this one were not logged; None when this one is not logged
        either.
        """
        now = self._clock()
        said_at, since = self._said.get(name, (-math.inf, 0))
        if now - said_at < self.EVERY_S:
            self._said[name] = (said_at, since + 1)
            return None
        self._said[name] = (now, 0)
        return since


_outages = Outages()


def report(error: Exception, *, request_id: str) -> None:
    """Logs what the caller is not told: unexpected errors, and faults that the operator has to
    mend, of which the operator is also told by alert where it is the gateway's own access, or its
    AI Gateway.
    Afterwards the error has no traceback any more.
    """
    if not isinstance(error, ApiError):
        _tell(error, request_id)
    _forget_frames(error)


def _forget_frames(error: BaseException | None) -> None:
    """The frames of a traceback hold the request's body, and some of them the error: in such a
    circle both would stay in memory until the garbage collector runs."""
    while error is not None and error.__traceback__ is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _tell(error: Exception, request_id: str) -> None:
    rule = rule_for(type(error))
    if isinstance(error, AccountFault):
        now = datetime.now(UTC)
        noted.note(refused_access(error.status, error.code, now, error.account))
    elif isinstance(error, (PolicyDenied, SpendLimitReached)):
        is_policy = isinstance(error, PolicyDenied)
        now = datetime.now(UTC)
        noted.note(refused_by_ai_gateway(error.status, is_policy=is_policy, now=now))
    fields = {"fields": {"request_id": request_id}}
    if rule is None:
        logger.error("Unforeseen failure", exc_info=error, extra=fields)
    elif rule.outage:
        name = type(error).__name__
        said = engine_words(error) if isinstance(error, DatabaseError) else error
        unsaid = _outages.unsaid(name)
        if unsaid is not None:
            more = f" ({unsaid} more since the last such line)" if unsaid else ""
            logger.error("%s: %s%s", name, said, more, extra=fields)
    elif rule.operators:
        account = getattr(error, "account", "")
        of = f" of the account {account}" if account else ""
        logger.error("%s%s: %s", type(error).__name__, of, error, extra=fields)
    elif rule.status >= 500:
        logger.warning("%s: %s", type(error).__name__, error, extra=fields)
