"""A gateway's worker without its HTTP, in a process of its own: admits, reserves and settles.

Each line it reads is an order: `try LIMIT KEY COUNT` makes so many requests at once and answers how
many passed; `settle` settles those; `ahead SECONDS` moves its clock. At the end of input it stops.
"""

import asyncio
import os
import sys
import time
from typing import Any

import django


class Worker:
    def __init__(self) -> None:
        from keys.admission import counters_from_settings
        from keys.ledger import LedgerWriter

        self.ahead_s = 0.0
        self.tickets: list[Any] = []
        self.counters = counters_from_settings()
        self.writer = LedgerWriter(clock=lambda: time.time() + self.ahead_s)
        self.writer.start()

    async def obey(self, order: str, *words: str) -> int:
        if order == "ahead":
            self.ahead_s = float(words[0])
        elif order == "settle":
            await self.settle()
        else:
            await self.try_at_once(words[0], int(words[1]), int(words[2]))
        return len(self.tickets)

    async def try_at_once(self, limit: str, key_id: int, count: int) -> None:
        from keys.limits import Limits
        from tests.keys.factories import record

        room = 7 if limit in ("requests_per_minute", "concurrency") else 700
        key = record(Limits(**{limit: room}), id=key_id)
        tickets = await asyncio.gather(*(self.request(key) for _ in range(count)))
        self.tickets = [ticket for ticket in tickets if ticket is not None]

    async def request(self, key: Any) -> Any:
        from keys import errors
        from keys.admission import admit

        try:
            ticket = await admit(
                key,
                endpoint="images",
                request_id="req-1",
                client_ip="10.0.0.1",
                user_agent="test",
                counters=self.counters,
                writer=self.writer,
            )
            await ticket.reserve(tokens=100, cost_nano_usd=100, neurons_micro=100)
        except (errors.LimitReached, errors.BudgetUsedUp):
            return None
        return ticket

    async def settle(self) -> None:
        from keys.admission import Outcome

        outcome = Outcome(
            status=200, end_reason="complete", cost_nano_usd=60, neurons_micro=60, prompt_tokens=60
        )
        await asyncio.gather(*(ticket.settle(outcome) for ticket in self.tickets))


async def main() -> None:
    worker = Worker()
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(await worker.obey(*line.split()), flush=True)
    await asyncio.to_thread(worker.writer.stop, 10)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")
    django.setup()
    asyncio.run(main())
