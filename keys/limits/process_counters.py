"""The counters of this process: in Redis if REDIS_URL is set, else in memory."""

from django.conf import settings

from keys.limits.counters import Counters
from keys.limits.memory_counters import MemoryCounters


def counters_from_settings() -> Counters:
    if not settings.REDIS_URL:
        return MemoryCounters()
    # Imported only here: Redis's client costs 10 MiB and a quarter of a second at the start.
    from keys.limits.redis_counters import RedisCounters

    return RedisCounters(settings.REDIS_URL)


# Used by every admission of this process.
process_counters: Counters = counters_from_settings()
