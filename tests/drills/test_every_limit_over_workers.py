"""Of fifty at once over three workers where seven fit, seven pass: every holder, what is counted
and window, on all models and on some, on PostgreSQL and Redis. `make test` tries some."""

import itertools
import time

from keys.held_limits import HOLDER_KINDS, WINDOWS_OF
from tests.keys.limits.test_limits_across_workers import servers, workers

__all__ = ["servers", "workers"]
FIRST_KEY = 1000


def test_of_fifty_at_once_over_three_workers_seven_pass_for_every_limit(workers, tell) -> None:
    kinds = [(what, window) for what in WINDOWS_OF for window in WINDOWS_OF[what]]
    cases = itertools.product(HOLDER_KINDS, kinds, (False, True))
    began, tried, wrong = time.monotonic(), 0, {}
    for key, (holder, (what, window), on_some) in enumerate(cases, FIRST_KEY):
        # The limits of everybody count all that was tried before, but on the key's own model.
        if holder == "everybody" and not on_some:
            continue
        limit = f"{holder}.{what}.{window}" + (f".@cf/meta/{key}" if on_some else "")
        for worker, count in zip(workers, (17, 17, 16), strict=True):
            worker.order(f"try {limit} {key} {count}")
        passed = sum(worker.answer() for worker in workers)
        if passed != 7:
            wrong[limit] = passed
        for worker in workers:
            worker.obey("settle")
        tried += 1
    tell(f"{tried} limits in {time.monotonic() - began:.1f} s")
    assert wrong == {}
