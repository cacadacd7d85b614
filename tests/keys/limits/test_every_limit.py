"""Of fifty at once where seven fit, seven pass: for every holder, what is counted, and window, on
all models and on some. With the real counters and the real ledger."""

import asyncio
import itertools
from datetime import UTC, datetime

import pytest
import redis

from keys import errors
from keys.access.key_reading import read_records
from keys.held_limits import WINDOWS_OF, HeldLimit, Subject
from keys.ledger.writer import LedgerWriter
from keys.limits.memory_counters import MemoryCounters
from keys.limits.redis_counters import RedisCounters
from keys.limits.ticket import Outcome
from keys.models import DayTotal, Limit, Reservation, Team, TeamTotal
from keys.teams import join, leave
from tests.keys.engines import redis_server
from tests.keys.factories import Clock, admitted, issued, record

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2027, 5, 12, 12, tzinfo=UTC).timestamp()
KIMI, LLAMA = "@cf/moonshotai/kimi", "@cf/meta/llama"
ON_KIMI = ("@cf/moonshotai/*",)
# What a request takes of each, and how it is reserved.
EACH = {"requests": 1, "tokens": 100, "concurrency": 1, "usd": 100, "neurons": 100}
RATES = [("requests", "minute"), ("tokens", "minute"), ("concurrency", "")]
BUDGETS = [(what, window) for what in WINDOWS_OF for window in WINDOWS_OF[what]]
BUDGETS = [each for each in BUDGETS if each not in RATES]
HOLDERS = ("key", "owner", "team", "everybody", "user")


@pytest.fixture
def writer():
    made = LedgerWriter(clock=Clock(NOON))
    made.start()
    yield made
    made.stop(5)


@pytest.fixture(scope="module")
def server():
    with redis_server() as running:
        yield running


def keys_of(kind, number, limit):
    """Two keys to which the limit applies, but that share nothing else; one where it is its own."""
    keys = []
    for n in range(1 if kind in ("key", "user") else 2):
        ids = {"id": 10 * number + n, "owner_id": 10 * number + n, "team_id": 10 * number + n}
        if kind in ("owner", "team"):
            ids[f"{kind}_id"] = 10 * number
        elif kind == "user":
            ids["team_id"] = None
        keys.append(record(**ids, team_name="research", more_limits=(limit,)))
    return keys


class Tries:
    """Requests at once; those that pass are held until they are settled."""

    def __init__(self, writer, counters):
        self.writer, self.counters = writer, counters
        self.now = NOON
        self.tickets = []

    async def one(self, key, model, user):
        try:
            ticket = await admitted(key, now=self.now, counters=self.counters, writer=self.writer)
            ticket.model, ticket.user = model, user
            await ticket.reserve(tokens=100, cost_nano_usd=100, neurons_micro=100)
        except (errors.LimitReached, errors.BudgetUsedUp) as error:
            return error
        self.tickets.append(ticket)
        return None

    async def at_once(self, keys, count, model=KIMI, user="ada"):
        tries = (
            self.one(key, model, user) for key in itertools.islice(itertools.cycle(keys), count)
        )
        refused = [error for error in await asyncio.gather(*tries) if error is not None]
        return count - len(refused), refused

    async def settle(self, tokens=100, amount=100):
        outcome = Outcome(
            status=200,
            end_reason="complete",
            prompt_tokens=tokens,
            cost_nano_usd=amount,
            neurons_micro=amount,
        )
        await asyncio.gather(*(ticket.settle(outcome) for ticket in self.tickets))
        self.tickets = []


async def seven_pass(tries, kind, number, what, window, models):
    # One short of eight.
    amount = 8 * EACH[what] - 1
    limit = HeldLimit(
        Subject(kind, 0 if kind == "everybody" else 10 * number, what, window, models), amount
    )
    keys = keys_of(kind, number, limit)
    passed, refused = await tries.at_once(keys, 50)
    assert passed == 7
    assert "" not in {str(error) for error in refused}
    if models:
        # Other models do not count, and are not refused.
        assert (await tries.at_once(keys, 9, model=LLAMA))[0] == 9
        assert all("on @cf/moonshotai/*" in str(error) for error in refused)
    if kind == "user":
        assert (await tries.at_once(keys, 9, user="bob"))[0] == 7
        assert (await tries.at_once(keys, 9, user=""))[0] == 7
    await tries.settle()
    # What is used stays used; only slots come back.
    for user in ("ada", "") if kind == "user" else ("ada",):
        passed, _ = await tries.at_once(keys, 9, user=user)
        assert passed == (7 if what == "concurrency" else 0)
    await tries.settle()


CASES = list(enumerate(itertools.product([*RATES, *BUDGETS], [(), ON_KIMI]), 1))


@pytest.mark.parametrize("kind", ["key", "owner", "team", "user"])
def test_seven_of_fifty_pass_with_other_holders_at_the_same_time(writer, kind):
    async def all_of_them():
        counters = MemoryCounters()
        await asyncio.gather(
            *(
                seven_pass(Tries(writer, counters), kind, number, what, window, models)
                for number, ((what, window), models) in CASES
            )
        )

    asyncio.run(asyncio.wait_for(all_of_them(), 60))
    assert not Reservation.objects.exists()


def test_seven_of_fifty_pass_where_the_limit_is_everybodys(writer):
    for number, ((what, window), models) in CASES:
        tries = Tries(writer, MemoryCounters())
        case = seven_pass(tries, "everybody", number, what, window, models)
        asyncio.run(asyncio.wait_for(case, 30))
        for table in (DayTotal, TeamTotal):
            table.objects.all().delete()
    assert not Reservation.objects.exists()


def test_who_moves_to_another_team_at_midnight_is_paid_for_by_each_team_on_its_day():
    """Requests that run over midnight are the old team's, on the day on which they began."""
    midnight = datetime(2027, 5, 13, tzinfo=UTC).timestamp()
    key, _ = issued()
    old, new = (Team.objects.create(name=name) for name in ("old", "new"))
    for team in (old, new):
        held = {"holder_kind": "team", "holder_id": team.pk, "what": "usd"}
        Limit.objects.create(**held, window="day", amount=799)
    clock = Clock(midnight - 5)
    writer = LedgerWriter(clock=clock)
    writer.start()

    def key_now():
        [(found, _)] = read_records([key.pk], clock.now).values()
        return found

    async def fifty(tries, held):
        tries.now = clock.now
        return (await tries.at_once([held], 50))[0]

    tries, late = Tries(writer, MemoryCounters()), Tries(writer, MemoryCounters())
    join(old, key.owner)
    of_old = key_now()
    assert asyncio.run(fifty(tries, of_old)) == 7
    leave(old, key.owner)
    join(new, key.owner)
    clock.now = midnight + 5
    assert asyncio.run(fifty(late, key_now())) == 7
    # Another worker has not read of the move yet: the old team's new day pays for what it admits.
    later = Tries(writer, MemoryCounters())
    assert asyncio.run(fifty(later, of_old)) == 7
    for each in (tries, late, later):
        asyncio.run(each.settle())
    writer.stop(5)
    days = TeamTotal.objects.order_by("day", "team_id")
    assert list(days.values_list("day__day", "team_name", "requests", "cost_nano_usd")) == [
        (12, "old", 7, 700),
        (13, "old", 7, 700),
        (13, "new", 7, 700),
    ]
    assert not Reservation.objects.exists()


async def test_seven_of_fifty_pass_over_two_workers_that_share_redis(writer, server):
    engines = [RedisCounters(server.url), RedisCounters(server.url)]
    both = itertools.cycle(engines)

    class Either:
        async def take(self, scopes, tokens=0):
            return await next(both).take(scopes, tokens)

    number = 0
    with redis.Redis.from_url(server.url) as direct:
        for kind, (what, window), models in itertools.product(HOLDERS, RATES, [(), ON_KIMI]):
            number += 1
            await seven_pass(Tries(writer, Either()), kind, number, what, window, models)
            direct.flushall()
    for engine in engines:
        await engine.close()
