"""The id that an answer, its log line and its ledger row share."""

import random
import re
import time

# A client's own id is kept when it is safe in a header, a log line and a database column.
_SANE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


def request_id_for(offered: bytes | None) -> str:
    """The client's `x-request-id` when it is safe, else a new one.

    New ones sort by the millisecond in which they were made: rows that are written together are
    then side by side in the index too, and change one page of it instead of one page each.
    """
    if offered is not None and _SANE.fullmatch(offered):
        return offered.decode("ascii")
    return f"req_{time.time_ns() // 1_000_000:012x}{random.getrandbits(80):020x}"
