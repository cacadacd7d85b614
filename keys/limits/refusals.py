"""A request that a limit refuses: the error for the caller, and the total that counts it."""

from typing import Final

from keys import errors
from keys.access.key_record import KeyRecord
from keys.ledger.totals import Names, Place
from keys.ledger.windows import utc_day
from keys.limits.counters import WINDOW_S, Denial, Limit

_ERRORS: Final[dict[Limit, tuple[type[errors.LimitReached], str]]] = {
    Limit.REQUESTS: (errors.RequestRateReached, "requests_per_minute"),
    Limit.TOKENS: (errors.TokenRateReached, "tokens_per_minute"),
    Limit.CONCURRENCY: (errors.ConcurrencyReached, "concurrency"),
}
# The columns of the totals that count refusals.
REFUSED_COLUMNS: Final[dict[Limit, str]] = {limit: f"refused_{limit.value}" for limit in Limit}


def limit_reached(denial: Denial, now: float) -> errors.LimitReached:
    error_class, field = _ERRORS[denial.limit]
    amount = getattr(denial.scope.limits, field)
    # A limit of 0 never has room; perhaps it is changed meanwhile.
    retry_after_s = denial.retry_after_s if amount else WINDOW_S
    return error_class(
        limit_value=amount,
        retry_after_s=retry_after_s,
        reset_at=now + retry_after_s,
        whose=denial.scope.words,
    )


def place_of(key: KeyRecord, endpoint: str, model: str, started_at: float) -> tuple[Place, Names]:
    place = Place(utc_day(started_at), key.id, key.owner_id or 0, model, endpoint)
    return place, Names(key.name, key.owner_name)
