"""The lanes of this process: shared through Redis if REDIS_URL is set, else each worker's own."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.conf import settings

from keys.sharing.lanes import Lane


class WaitingFor(NamedTuple):
    """A lane that somebody waits for: how many, the longest so far, and its rate."""

    lane: str
    requests: int
    longest_s: float
    per_minute: int


class Lanes:
    """One event loop's. Their number is bounded by the catalog's models and tasks."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._rates: dict[str, int] = {}
        # Set once the worker ends: nobody is to wait any longer.
        self.is_stopping = False
        # A `RedisLink`, once it is needed.
        self._link: Any = None

    def lane(self, name: str, per_minute: int, *, full_at_first: bool = False) -> Lane:
        """The lane of this name, at this rate from now on."""
        share = max(1, per_minute // settings.WEB_CONCURRENCY)
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = self._new(name, per_minute, share, full_at_first)
        lane.set_rate(per_minute, share)
        self._rates[name] = per_minute
        return lane

    def waiting(self) -> Iterator[WaitingFor]:
        """The lanes for which somebody waits at this worker. From any thread."""
        for name, lane in list(self._lanes.items()):
            if count := lane.line.length:
                yield WaitingFor(name, count, lane.longest_wait_s(), self._rates[name])

    async def close(self) -> None:
        for lane in self._lanes.values():
            lane.close()
        if self._link is not None:
            await self._link.close()

    def _new(self, name: str, per_minute: int, share: int, full_at_first: bool) -> Lane:
        if not settings.REDIS_URL:
            return Lane(name, share, full_at_first=full_at_first)
        # Imported only here, as in `process_counters.py`: Redis's client costs 10 MiB.
        from keys.sharing.shared import SharedLane, link

        if self._link is None:
            self._link = link(settings.REDIS_URL)
        return SharedLane(name, per_minute, self._link, share=share, full_at_first=full_at_first)


lanes = Lanes()
