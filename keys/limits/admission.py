"""Step two of a request: may this key make it now? Returns a ticket, to be settled exactly once.

Every request has its key's networks checked (`check_address`), whatever it asks for. `admit` checks
endpoints, and takes one request and one slot from the limits that every request of the key meets:
its own, its owner's, its team's, everybody's. Those on some models, or on the person behind the
key, are taken from by `Ticket.reserve`. When it
raises `NotPermitted`, `LimitReached` or `LedgerUnavailable` of `keys/errors.py` it has taken
nothing. A refusal leaves no row in the log, but is counted.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from keys import errors
from keys.access.key_record import KeyRecord
from keys.ledger.writer import LedgerWriter, ledger
from keys.limits.counters import Counters, Denial, Hold
from keys.limits.process_counters import process_counters
from keys.limits.refusals import REFUSED_COLUMNS, limit_reached, place_of
from keys.limits.ticket import Ticket
from keys.scopes import Limits, Scope

# What reads the key's own facts and the models it may use, a minute. Nobody's usual work meets
# these; a key whose limit is below the first gets that.
LEAST_READS: Final = 60
READS_WITHOUT_A_LIMIT: Final = 600


def check_address(key: KeyRecord, client_ip: str) -> None:
    """Check the key's restriction to networks. Raises AddressNotAllowed."""
    if key.networks is not None and not key.allows_address(client_ip):
        raise errors.AddressNotAllowed(client_ip)


def check_endpoint(key: KeyRecord, endpoint: str) -> None:
    """Check the key's restriction to endpoints. Raises EndpointNotAllowed."""
    if key.endpoints is not None and endpoint not in key.endpoints:
        raise errors.EndpointNotAllowed(endpoint, key.endpoints)


async def admit(
    key: KeyRecord,
    *,
    endpoint: str,
    request_id: str,
    client_ip: str,
    user_agent: str,
    now: float | None = None,
    counters: Counters | None = None,
    writer: LedgerWriter | None = None,
) -> Ticket:
    counters = process_counters if counters is None else counters
    writer = ledger if writer is None else writer
    now = time.time() if now is None else now
    writer.check_room()
    check_endpoint(key, endpoint)
    hold = await _taken(key, endpoint, now, counters, writer) if key.rate_scopes else None
    return Ticket(
        key,
        endpoint=endpoint,
        request_id=request_id,
        client_ip=client_ip,
        user_agent=user_agent,
        started_at=now,
        hold=hold,
        counters=counters,
        ledger=writer,
    )


@asynccontextmanager
async def admit_unrecorded(
    key: KeyRecord,
    *,
    endpoint: str,
    counters: Counters = process_counters,
    writer: LedgerWriter = ledger,
) -> AsyncIterator[Hold | None]:
    """Admit what runs no model and leaves no row: it counts as a request of the key, of one without
    a rate as a read, and takes a slot while it lasts. Raises as `admit` does.
    """
    check_endpoint(key, endpoint)
    if key.limits.requests_per_minute is None:
        # It costs time and no money: neither a budget nor anything else would end it.
        await admit_read(key, counters=counters)
    now = time.time()
    hold = await _taken(key, endpoint, now, counters, writer) if key.rate_scopes else None
    try:
        yield hold
    finally:
        if hold is not None:
            hold.release(0)


async def admit_read(key: KeyRecord, *, counters: Counters = process_counters) -> None:
    """Count a request that only reads. Raises RequestRateReached."""
    own = key.limits.requests_per_minute
    most = READS_WITHOUT_A_LIMIT if own is None else max(own, LEAST_READS)
    taken = await counters.take([Scope("reads", key.id, Limits(requests_per_minute=most))])
    if isinstance(taken, Denial):
        raise limit_reached(taken, time.time())
    taken.release(0)


async def _taken(
    key: KeyRecord, endpoint: str, now: float, counters: Counters, writer: LedgerWriter
) -> Hold:
    """One request and one slot of the limits that all requests of the key meet."""
    taken = await counters.take(key.rate_scopes)
    if isinstance(taken, Denial):
        place, names = place_of(key, endpoint, "", now)
        writer.count_refusal(place, names, REFUSED_COLUMNS[taken.limit])
        raise limit_reached(taken, now)
    return taken
