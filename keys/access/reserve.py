"""The last of the account's free neurons of a day, which RESERVED_NEURONS keeps for chosen keys.

For all other keys it is a limit like any other, in the one form: what everybody uses on a day may
not pass what is free without the reserve. So it is exact, over workers and hosts.
"""

from typing import Final

from django.conf import settings

from keys.amounts import MICRO
from keys.held_limits import HeldLimit, Subject

# Apart from everybody's own limits, whose holder is 0.
OTHERS_ID: Final = 1


def limit_of_others() -> HeldLimit | None:
    """What holds for keys without a share of the reserve; None where nothing is reserved."""
    if not settings.RESERVED_NEURONS:
        return None
    free = settings.FREE_DAILY_NEURONS * (1 + len(settings.CLOUDFLARE_ACCOUNTS))
    left = max(0, free - settings.RESERVED_NEURONS)
    return HeldLimit(Subject("everybody", OTHERS_ID, "neurons", "day"), left * MICRO)


def words_of_others() -> str:
    """Whom that limit is of, as a refusal says it."""
    return (
        f"all API keys but those that the day's last {settings.RESERVED_NEURONS:,} free neurons "
        "are reserved for"
    )


def whose(subject: Subject) -> str:
    """The same for the holder of that limit; empty for any other."""
    is_of_others = subject.holder_kind == "everybody" and subject.holder_id == OTHERS_ID
    return words_of_others() if is_of_others else ""
