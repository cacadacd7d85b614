"""Step two of a request: may this key make it now? Returns a ticket, to be settled exactly once.

`admit` checks networks and endpoints, and takes one request and one slot from the limits of the key
and of its owner. When it raises `NotPermitted`, `LimitReached` or `LedgerUnavailable` of
`keys/errors.py` it has taken nothing. A refusal leaves no row in the log, but is counted.
"""

import time

from keys import errors
from keys.access.key_record import KeyRecord
from keys.ledger.writer import LedgerWriter, ledger
from keys.limits.counters import Counters, Denial, Hold
from keys.limits.process_counters import process_counters
from keys.limits.refusals import REFUSED_COLUMNS, limit_reached, place_of
from keys.limits.ticket import Ticket


def check_permitted(key: KeyRecord, *, endpoint: str, client_ip: str) -> None:
    """Check the key's restrictions to networks and endpoints. Raises a `NotPermitted`."""
    if key.networks is not None and not key.allows_address(client_ip):
        raise errors.AddressNotAllowed(client_ip)
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
    check_permitted(key, endpoint=endpoint, client_ip=client_ip)
    hold: Hold | None = None
    if key.rate_scopes:
        taken = await counters.take(key.rate_scopes)
        if isinstance(taken, Denial):
            place, names = place_of(key, endpoint, "", now)
            writer.count_refusal(place, names, REFUSED_COLUMNS[taken.limit])
            raise limit_reached(taken, now)
        hold = taken
    return Ticket(
        key,
        endpoint=endpoint,
        request_id=request_id,
        client_ip=client_ip,
        user_agent=user_agent,
        started_at=now,
        hold=hold,
        ledger=writer,
    )
