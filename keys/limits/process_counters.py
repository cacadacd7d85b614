"""The counters of this process: in memory, or in Redis where there is one."""

from django.conf import settings

from keys.limits.counters import Counters
from keys.limits.memory_counters import MemoryCounters


def counters_from_settings() -> Counters:
    if not settings.REDIS_URL:
        return MemoryCounters()
    # Only here: Redis's client takes 10 MiB and a quarter of a second at the start.
    from keys.limits.redis_counters import RedisCounters

    return RedisCounters(settings.REDIS_URL)


# Of this process: every admission on its event loop counts here.
process_counters: Counters = counters_from_settings()
