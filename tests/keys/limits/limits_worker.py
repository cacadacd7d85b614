"""A gateway's worker without its HTTP, in a process of its own: admits, reserves and settles.

Each line it reads is an order: `try LIMIT KEY COUNT` makes so many requests at once and answers how
many passed; `settle` settles those; `spend KEY COUNT` makes eight at once, again and again, until a
daily budget for so many is used up, and answers how many passed; `ahead SECONDS` moves its clock;
`lose COUNT` loses the answers to so many commits; `log TEXT` writes a row of a user called that, in
JSON; `patience` answers how many milliseconds the server waits for the next statement of a group.
At the end of input it stops.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any

import django


class Worker:
    def __init__(self) -> None:
        from django.db import OperationalError

        from keys.ledger.writer import LedgerWriter
        from keys.limits.process_counters import counters_from_settings

        self.ahead_s = 0.0
        self.tickets: list[Any] = []
        self.counters = counters_from_settings()
        self.answers_to_lose = 0
        worker = self

        class ForgetfulWriter(LedgerWriter):
            def _write(self, group: Any) -> None:
                super()._write(group)
                if worker.answers_to_lose:
                    worker.answers_to_lose -= 1
                    raise OperationalError("connection lost at commit")

        self.writer = ForgetfulWriter(clock=lambda: time.time() + self.ahead_s)
        self.writer.start()

    async def obey(self, order: str, *words: str) -> int:
        from tests.keys.factories import ledger_row

        if order == "ahead":
            self.ahead_s = float(words[0])
        elif order == "settle":
            await self.settle()
        elif order == "lose":
            self.answers_to_lose = int(words[0])
        elif order == "log":
            row = ledger_row("odd", user=json.loads(words[0]), started_at=time.time())
            await self.writer.put(row, asyncio.get_running_loop())
        elif order == "spend":
            return await self.spend(int(words[0]), int(words[1]))
        elif order == "patience":
            return await asyncio.to_thread(patience_ms)
        else:
            await self.try_at_once(words[0], int(words[1]), int(words[2]))
        return len(self.tickets)

    async def try_at_once(self, limit: str, key_id: int, count: int) -> None:
        from keys.held_limits import HeldLimit, Subject
        from keys.scopes import Limits
        from tests.keys.factories import record

        if "." in limit:
            # Holder, what, window, and its models: 'team.usd.week.@cf/*'.
            kind, what, window, *models = limit.split(".")
            holder_id = 0 if kind == "everybody" else key_id
            subject: Any = Subject(kind, holder_id, what, window, tuple(models))
            room = 7 if what in ("requests", "concurrency") else 700
            ids = {"id": key_id, "owner_id": key_id, "team_id": key_id}
            key = record(**ids, more_limits=(HeldLimit(subject, room),))
        else:
            room = 7 if limit in ("requests_per_minute", "concurrency") else 700
            key = record(Limits(**{limit: room}), id=key_id)
        tickets = await asyncio.gather(*(self.request(key) for _ in range(count)))
        self.tickets = [ticket for ticket in tickets if ticket is not None]

    async def spend(self, key_id: int, count: int) -> int:
        from keys.scopes import Limits
        from tests.keys.factories import record

        key = record(Limits(daily_budget_nano_usd=count * 100), id=key_id)

        async def until_refused() -> int:
            passed = 0
            while (ticket := await self.request(key)) is not None:
                await ticket.settle(outcome(100))
                passed += 1
            return passed

        return sum(await asyncio.gather(*(until_refused() for _ in range(8))))

    async def request(self, key: Any) -> Any:
        from keys import errors
        from tests.keys.factories import admitted

        try:
            ticket = await admitted(key, counters=self.counters, writer=self.writer)
            ticket.model, ticket.user = f"@cf/meta/{key.id}", "ada"
            await ticket.reserve(tokens=100, cost_nano_usd=100, neurons_micro=100)
        except (errors.LimitReached, errors.BudgetUsedUp):
            return None
        return ticket

    async def settle(self) -> None:
        await asyncio.gather(*(ticket.settle(outcome(60)) for ticket in self.tickets))


def outcome(used: int) -> Any:
    from keys.limits.ticket import Outcome

    return Outcome(
        status=200,
        end_reason="complete",
        cost_nano_usd=used,
        neurons_micro=used,
        prompt_tokens=used,
    )


def patience_ms() -> int:
    from django.db import connection

    from keys.ledger.engine import group_transaction

    connection.ensure_connection()
    name = "idle_in_transaction_session_timeout"
    with group_transaction() as group:
        [[(milliseconds,)]] = group.select(
            [("SELECT setting FROM pg_settings WHERE name = ?", (name,))]
        )
    connection.close()
    return int(milliseconds)


async def main() -> None:
    worker = Worker()
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(await worker.obey(*line.split()), flush=True)
    await asyncio.to_thread(worker.writer.stop, 10)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")
    django.setup()
    asyncio.run(main())
